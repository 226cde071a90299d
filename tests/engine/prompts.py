"""A mix of what people send to a gateway: the dial is calibrated on it, the tests pick from it."""

# ruff: noqa: RUF001 - Chinese has its own punctuation.

from typing import NamedTuple


class Prompt(NamedTuple):
    name: str
    text: str


PROMPTS = (
    # Small talk and small questions: half of the traffic.
    Prompt("greeting", "hi"),
    Prompt("thanks", "Thanks, that helped!"),
    Prompt("greeting-de", "Hallo, wie geht es dir heute?"),
    Prompt("joke", "Tell me a joke about cats."),
    Prompt("unit-conversion", "Convert 5 miles to kilometers"),
    Prompt("temperature", "What is 72 degrees fahrenheit in celsius?"),
    Prompt("capital", "What is the capital of Australia?"),
    Prompt("synonym", "Give me a synonym for 'happy'."),
    Prompt("spelling", "How do you spell accommodate?"),
    Prompt("arithmetic", "What is 17 * 23?"),
    Prompt("inventor", "Who invented the telephone, and in which year?"),
    Prompt("recipe", "What can I cook with eggs, spinach and feta in twenty minutes?"),
    Prompt("definition", "Explain photosynthesis in two sentences."),
    Prompt("capital-es", "¿Cuál es la capital de Mongolia y cuántos habitantes tiene?"),
    Prompt("weather-fr", "Quel temps fait-il en général à Lisbonne en novembre ?"),
    Prompt("movie", "Recommend three films like Inception and say why in a line each."),
    # Turning one text into another.
    Prompt("translation", "Translate to French: Where is the nearest train station?"),
    Prompt("translation-zh", "请把这句话翻译成英文：明天的会议改到下午三点。"),
    Prompt("sentiment", "Classify the sentiment as positive or negative: 'The soup was cold.'"),
    Prompt(
        "extraction",
        "Extract name, date and amount as JSON: On 3 May Ms. Rivera paid 1,250 EUR for the hall.",
    ),
    Prompt(
        "email-rewrite",
        "Rewrite this so that it sounds polite: You still have not sent the report. Send it now.",
    ),
    Prompt(
        "summary",
        "Summarize in three bullet points:\n\n"
        + "The council met on Tuesday to discuss the harbour. Members heard from fishermen, who "
        "fear for their berths, and from the port, which wants room for two ferries a day. " * 12,
    ),
    Prompt(
        "minutes",
        "Here is the transcript of our weekly meeting. Write down the decisions and who does what "
        "until when.\n\n"
        + "Ana: the release slips by a week. Bo: then I tell the customers today. Ana: fine. "
        * 25,
    ),
    Prompt("spreadsheet", "Formula to sum column B where column A says 'paid'?"),
    # Writing.
    Prompt("haiku", "Write a haiku about autumn rain."),
    Prompt(
        "cover-letter",
        "Write a cover letter for a junior nurse applying to a children's hospital. Mention night "
        "shifts, a course in pain management and that she speaks Portuguese. At most 250 words.",
    ),
    Prompt("product-copy", "Write a short product description for a wooden desk lamp."),
    Prompt(
        "story",
        "Write a short story of about 800 words in which a lighthouse keeper slowly realises that "
        "the ships he guides no longer exist. Past tense, no dialogue, an ending that stays open.",
    ),
    Prompt("poem-de", "Schreibe ein Gedicht über den ersten Schnee in der Stadt."),
    Prompt(
        "roleplay",
        "Let's roleplay: you are the innkeeper of a tavern at the edge of a haunted forest, and I "
        "have just walked in, soaked and without a coin.",
    ),
    Prompt("birthday", "Write a birthday message for my colleague Tom who loves cycling."),
    Prompt(
        "speech",
        "Draft a ten minute speech for the opening of a public library, weaving together the "
        "history of the building, the donors and an argument why reading together matters.",
    ),
    # Code.
    Prompt("regex", "Regex that matches an ISO date like 2024-05-31"),
    Prompt("one-liner", "How do I reverse a list in Python?"),
    Prompt(
        "sql",
        "Table orders(id, customer_id, total, created_at). Write a SQL query for the ten customers "
        "with the highest revenue in each month of last year, ties included.",
    ),
    Prompt("css", "How do I center a div horizontally and vertically with CSS?"),
    Prompt(
        "code-review",
        "Review this function:\n```python\ndef add(item, items=[]):\n    items.append(item)\n"
        "    return items\n```",
    ),
    Prompt(
        "traceback",
        "Why does this fail?\n```\nTraceback (most recent call last):\n"
        '  File "app.py", line 12, in <module>\n'
        "    total = sum(row['price'] for row in rows)\nKeyError: 'price'\n```",
    ),
    Prompt(
        "endpoint",
        "Write a FastAPI endpoint that accepts a CSV upload, validates that each row has an email "
        "and a positive amount, stores valid rows in PostgreSQL and returns the rejected ones with "
        "reasons. Include pytest tests.",
    ),
    Prompt(
        "race-condition",
        "Our Go service sometimes loses an update under load. Two goroutines read the balance, "
        "both pass the check, and both write. We already take a mutex per account, yet the race "
        "condition remains, because a retry path releases it before commit. Find the interleaving "
        "that breaks it, prove that your fix is free of deadlocks, and show the code.",
    ),
    Prompt(
        "lock-free",
        "Implement a lock free multi producer single consumer queue in C++ and argue why each "
        "memory order is sufficient. Handle the ABA problem without a garbage collector.",
    ),
    Prompt(
        "refactor",
        "Refactor this 2,000 line Django view module into services and serializers without "
        "changing behaviour. Start with a plan: which seams, in which order, and which tests "
        "first?",
    ),
    Prompt("bash", "Bash one-liner to delete all files older than 30 days in /tmp/logs"),
    Prompt("java-es", "Escribe una función en Java que calcule el máximo común divisor."),
    Prompt(
        "migration",
        "Plan a zero downtime migration of a 4 TB PostgreSQL table from integer to bigint keys, "
        "with foreign keys from six tables. List each step, its locks, and how to roll back.",
    ),
    # Mathematics and reasoning.
    Prompt("word-problem", "A train travels 60 km in 45 minutes. What is its speed in km/h?"),
    Prompt(
        "gsm",
        "Tom buys 3 boxes of 12 eggs each. He breaks 5 and uses half of the rest for cakes that "
        "need 4 eggs each. How many cakes can he bake?",
    ),
    Prompt("derivative", "What is the derivative of x^2 * sin(x)?"),
    Prompt(
        "hard-proof",
        "Prove that for every prime p congruent to 1 modulo 4 there exist integers a and b with "
        "p = a^2 + b^2. Give a complete, rigorous proof without quoting the theorem itself.",
    ),
    Prompt(
        "topology",
        "Let X be a compact Hausdorff space. Prove that X is metrizable if and only if C(X), the "
        "space of continuous functions with the supremum norm, is separable.",
    ),
    Prompt("proof-ru", "Докажите, что для всех натуральных n число n^3 - n делится на 6."),
    Prompt("proof-zh", "证明：如果 n 是大于 1 的整数，那么 n^4 + 4^n 不是素数。"),
    Prompt(
        "probability",
        "Three cards are drawn without replacement from a deck of 52. What is the probability that "
        "exactly two are hearts? Show the steps.",
    ),
    Prompt(
        "logic-puzzle",
        "On an island live knights, who always tell the truth, and knaves, who always lie. A says: "
        "B is a knave. B says: A and C are of the same kind. What is C? Explain step by step.",
    ),
    Prompt(
        "decision",
        "We can rent a bigger warehouse for three years or build one in eighteen months. Compare "
        "both under falling demand and rising interest, and say what would change your mind.",
    ),
    # Knowledge and plans.
    Prompt("medicine", "What are the early symptoms of hypothyroidism and which tests confirm it?"),
    Prompt("history-fr", "Explique les causes de la chute de l'Empire romain d'Occident."),
    Prompt(
        "trip",
        "Plan five days in Kyoto in April for two adults and a toddler: at most two sights a day, "
        "one ryokan night, and a rainy day alternative for each afternoon.",
    ),
    Prompt("japanese", "量子コンピュータとは何か、高校生にも分かるように説明してください。"),
    Prompt(
        "distributed",
        "Design a distributed rate limiter for 200,000 requests per second across four regions. "
        "Limits are per customer, must never be exceeded by more than 2 percent, and must survive "
        "the loss of a region. Compare the consistency tradeoffs and give the algorithm.",
    ),
)
