"""Which of our task types a label of a public data set stands for.

The first pattern that matches a label decides; None leaves the prompt out, because its label says
nothing of a task or its text cannot be told from another's.
"""

import re
from fnmatch import fnmatchcase

READING = "extraction:reading"
CLASSIFYING = "extraction:classification"
COMMONSENSE = "reasoning:commonsense"
LOGIC = "reasoning:logic"
ANALYSIS = "reasoning:analysis"
MATH = "math:problem"

# Intents of CLINC150: what one says to an assistant, asks it, and has it do.
SMALLTALK = (
    "greeting goodbye thank_you yes no maybe tell_joke are_you_a_bot how_old_are_you "
    "do_you_have_pets meaning_of_life what_are_your_hobbies what_is_your_name "
    "where_are_you_from who_do_you_work_for who_made_you what_can_i_ask_you"
)
ADVICE = (
    "recipe meal_suggestion travel_suggestion restaurant_suggestion food_last cook_time "
    "ingredient_substitution improve_credit_score oil_change_how jump_start tire_change "
    "report_fraud card_declined international_fees international_visa vaccines"
)
COMMANDS = (
    "book_flight book_hotel restaurant_reservation calendar calendar_update reminder "
    "reminder_update alarm timer play_music next_song update_playlist weather traffic "
    "directions make_call text todo_list todo_list_update shopping_list smart_home uber "
    "shopping_list_update schedule_meeting find_phone car_rental "
    "flight_status order share_location"
)

PATTERNS: tuple[tuple[str, str | None], ...] = (
    # T0 templates: the data set and the template's name.
    ("t0:*[gG]enerate_[qQ]uestion*", None),
    ("t0:*Generate_the_question*", None),
    ("t0:*answer_to_question", None),
    ("t0:wiki_qa_*Topic*", CLASSIFYING),
    ("t0:wiki_qa_Direct*", "knowledge:fact"),
    ("t0:wiki_qa_Jeopardy*", None),
    ("t0:wiki_qa_*", CLASSIFYING),
    ("t0:adversarial_qa*", READING),
    ("t0:quoref_Guess_Title*", "summarization"),
    ("t0:quoref*", READING),
    ("t0:ag_news*", CLASSIFYING),
    ("t0:amazon*", CLASSIFYING),
    ("t0:app_reviews_generate_review", "writing:business"),
    ("t0:app_reviews*", CLASSIFYING),
    ("t0:dbpedia*", CLASSIFYING),
    ("t0:imdb*", CLASSIFYING),
    ("t0:rotten_tomatoes*", CLASSIFYING),
    ("t0:trec*", CLASSIFYING),
    ("t0:yelp*", CLASSIFYING),
    ("t0:glue_mrpc_generate*", "writing:editing"),
    ("t0:glue*", CLASSIFYING),
    ("t0:paws*", CLASSIFYING),
    ("t0:common_gen_sentence_to_concepts", "extraction:fields"),
    ("t0:common_gen_topics_from*", "extraction:fields"),
    ("t0:common_gen*", "writing:creative"),
    ("t0:*generate_story", "writing:creative"),
    ("t0:*spice_up_story", "writing:creative"),
    ("t0:*write_an_article", "writing:creative"),
    ("t0:*reverse_*", None),
    ("t0:*expand_*", "writing:creative"),
    ("t0:gigaword_write_its_sentence", None),
    ("t0:samsum_Write_a_dialogue*", "writing:creative"),
    ("t0:cnn*", "summarization"),
    ("t0:gigaword*", "summarization"),
    ("t0:multi_news*", "summarization"),
    ("t0:samsum*", "summarization"),
    ("t0:xsum*", "summarization"),
    ("t0:duorc*build_story*", "writing:creative"),
    ("t0:duorc*title*", "summarization"),
    ("t0:duorc*by_answer", None),
    ("t0:duorc*", READING),
    ("t0:dream_generate*", "writing:creative"),
    ("t0:dream_answer*", "writing:creative"),
    ("t0:dream*", READING),
    ("t0:cosmos*only_question*", None),
    ("t0:cosmos*", READING),
    ("t0:kilt*", "knowledge:fact"),
    ("t0:qasc*", "knowledge:science"),
    # What brings its paragraph along and asks of it is reading, whatever it is about.
    ("t0:sciq*Closed_Book*", "knowledge:science"),
    ("t0:sciq*", READING),
    ("t0:quartz*", READING),
    ("t0:ropes*", READING),
    ("t0:quarel*", COMMONSENSE),
    ("t0:wiqa*", COMMONSENSE),
    ("t0:social_i_qa*", COMMONSENSE),
    ("t0:commonsense_qa*", COMMONSENSE),
    ("t0:wiki_hop*", READING),
    ("t0:wiki_bio*", None),
    ("t0:*", None),
    # Graded prompts by data set.
    ("ulabtask:agentverse-logicgrid", "reasoning:logic"),
    ("ulabtask:commongen", "writing:creative"),
    ("ulabtask:commonsense_qa", COMMONSENSE),
    ("ulabtask:gsm8k", "math:problem"),
    ("ulabtask:math", "math:problem"),
    ("ulabtask:human_eval", "code:generation"),
    ("ulabtask:mbpp", "code:generation"),
    ("ulabtask:natural_qa", "knowledge:fact"),
    ("ulabtask:trivia_qa", "knowledge:fact"),
    ("ulabtask:*", "knowledge:science"),
    ("mmlupro_math", "math:problem"),
    ("mmlupro_*", "knowledge:science"),
    # BIG-Bench Hard.
    ("bbh:multistep_arithmetic_two", "math:conversion"),
    ("bbh:causal_judgement", COMMONSENSE),
    ("bbh:disambiguation_qa", COMMONSENSE),
    ("bbh:object_counting", MATH),
    ("bbh:penguins_in_a_table", "reasoning:data"),
    ("bbh:word_sorting", "extraction:fields"),
    ("bbh:geometric_shapes", None),
    ("bbh:hyperbaton", None),
    ("bbh:salient_translation*", None),
    ("bbh:snarks", None),
    ("bbh:ruin_names", None),
    ("bbh:movie_recommendation", None),
    ("bbh:sports_understanding", None),
    ("bbh:*", LOGIC),
    ("bfcl:simple_java*", None),
    # Requests that none of the tools at hand fits: to call none is right.
    ("bfcl:*irrelevance", None),
    ("bfcl:*", "agent:tools"),
    # BiGGen-Bench, capability and task.
    ("biggen:*travel_plan", "agent:planning"),
    ("biggen:planning*", "agent:planning"),
    ("biggen:refinement*replanning", "agent:planning"),
    ("biggen:*executable_actions", "agent:planning"),
    ("biggen:reasoning*mwp", "math:problem"),
    ("biggen:reasoning*math_proof", "math:proof"),
    ("biggen:reasoning*table_reason", "reasoning:data"),
    ("biggen:reasoning*hypothesis_proposal", "reasoning:analysis"),
    ("biggen:reasoning*legal_reason", "reasoning:analysis"),
    ("biggen:reasoning*", "reasoning:logic"),
    ("biggen:tool_usage*coding_for_math", None),
    ("biggen:tool_usage*tool_making", None),
    ("biggen:tool_usage*", "agent:tools"),
    ("biggen:theory_of_mind*writing_a_speech", "writing:business"),
    ("biggen:theory_of_mind*thinking_for_doing", COMMONSENSE),
    ("biggen:theory_of_mind*guess_the_emotion", COMMONSENSE),
    ("biggen:theory_of_mind*multistep_tom", COMMONSENSE),
    ("biggen:grounding*role_playing", "roleplay"),
    ("biggen:grounding*json_csv_xml", "extraction:fields"),
    ("biggen:multilingual*poem_writing", "writing:creative"),
    ("biggen:multilingual*robust_translation", "writing:translation"),
    ("biggen:multilingual*cultural_awareness", "knowledge:explanation"),
    ("biggen:refinement*code_revision", "code:review"),
    ("biggen:refinement*essay_revision", "writing:editing"),
    ("biggen:*", None),
    # Assistants' intents: what one asks of a device is a tool call, what one asks of a bank advice.
    ("bank:*", "chat:advice"),
    ("intent:translate", "writing:translation"),
    ("intent:calculator", "math:conversion"),
    ("intent:measurement_conversion", "math:conversion"),
    ("intent:definition", "knowledge:fact"),
    ("intent:fun_fact", "knowledge:fact"),
    ("intent:spelling", "knowledge:fact"),
    *((f"intent:{name}", "chat:smalltalk") for name in SMALLTALK.split()),
    *((f"intent:{name}", "chat:advice") for name in ADVICE.split()),
    *((f"intent:{name}", "agent:tools") for name in COMMANDS.split()),
    ("intent:*", None),
    ("tool_use", "agent:tools"),
    ("roleplay", "roleplay"),
    ("ah2:*creative*", "writing:creative"),
    ("ah2:*coding", "code"),
    ("ah2:*math", "math:problem"),
    ("code_generation", "code"),
)

# arena-hard v0.1: parts of the name of a prompt's cluster; a cluster without any is left out. Names
# tell a subject and not always a task: "Sales and Client Analysis" is no mathematical analysis.
CODE_CLUSTERS = (
    "python|javascript|css|django|docker|kubernetes|react|typescript|kotlin|rust |c++|pandas|php|"
    "coding|programming|regex|flask web|android|bot dev|web scraping|web dev|web page|gradio|linux|"
    "aws cloud|cuda|node.js|laravel|swift |apis|databricks|pytorch|nix/|redis|tkinter|streamlit|"
    "shiny app|matplotlib|tidyverse|browser ext|wpf|symfony|linked list|string rev|in string|hlsl|"
    "hdl design|svg manip|roblox|odoo|assembly op|ffmpeg|cron job|vba|awk|video download|fibonacci|"
    "with code|code deob|array pair|mocking tech|rnn impl|jax |sockets|algorithms and problem"
)
CLUSTERS = (
    ("sql ", "code:sql"),
    (CODE_CLUSTERS, "code"),
    ("root irrationality|real analysis", "math:proof"),
    ("number theory|mathematical problem|pricing math|dice prob|growth calc|math problems", MATH),
    ("number calculations|time calculations|time and speed|probability dist|triangle geo", MATH),
    ("consecutive draws|standard deviation|sample size|circular motion|and taxes", MATH),
    ("puzzle|relationships &|comparative truths|box dynamics|optimal walking|stacks", LOGIC),
    (
        "business|scrum lead|it strategy|marketing str|profitability|trading str|stock market",
        ANALYSIS,
    ),
    ("reinvention|client analysis|preppers|argumentation|market models", ANALYSIS),
    ("meal planning", "agent:planning"),
    ("rpg", "roleplay"),
    ("sentiment analysis|tagging items|review analysis", CLASSIFYING),
    ("entity relationship", "extraction:fields"),
    ("explained|electromagnetic|trends|fundamentals", "knowledge:explanation"),
)

_ERRORS = re.compile(
    r"error|debug|\bfix|bug\b|wrong|not work|incorrect|exception|fail", re.IGNORECASE
)
_SQL = re.compile(r"\bsql\b|\bselect\b.+\bfrom\b|database table", re.IGNORECASE | re.DOTALL)
_REVIEW = re.compile(r"optimi[sz]e|improve|review|refactor|more efficient|simplify", re.IGNORECASE)
_EXPLAIN = re.compile(r"^(explain|what (is|does|are)|describe|how does|why)", re.IGNORECASE)


def task_of(label: str, sub: str, text: str) -> str | None:
    """Return the task type of a labelled prompt, or None where it is left out."""
    if label == "ah1":
        found = _of_cluster(sub.lower())
    else:
        name = f"{label}:{sub}" if label.startswith("biggen:") else label
        found = next((task for pattern, task in PATTERNS if fnmatchcase(name, pattern)), None)
    return _kind_of_code(text) if found == "code" else found


def _of_cluster(name: str) -> str | None:
    for words, task in CLUSTERS:
        if any(part in name for part in words.split("|")):
            return task
    return None


def _kind_of_code(text: str) -> str:
    """Tell a code prompt's type by its first words: its source knows only that it is code."""
    head = text[:300]
    for pattern, task in (
        (_SQL, "code:sql"),
        (_ERRORS, "code:debugging"),
        (_REVIEW, "code:review"),
        (_EXPLAIN, "code:explanation"),
    ):
        if pattern.search(head):
            return task
    return "code:generation"
