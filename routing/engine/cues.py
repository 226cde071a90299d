"""The cue tables: which words and marks speak for a task, for hardness, for a language.

A cue is a log-odds, added up per group of tasks, and the heads learn how far to trust each sum.
Weights are judged, not fitted: 3 nearly settles the task, 2 is strong, 1 a hint.
Praise, urgency, names of models and words such as "best", "route", "hard", "complexity" or
"label" are no cues on purpose: a text must not be able to pick its model.
"""

# task, log-odds, words. A word stands in as many rows as it is ambiguous.
TASK_WORDS = (
    ("code", 2.5, "python javascript typescript golang kotlin django flask fastapi numpy pandas"),
    ("code", 2.5, "kubernetes dockerfile postgresql mysql sqlite regex regexp webpack react jsx"),
    ("code", 2.0, "java rust php html css sql bash powershell api endpoint sdk async await json"),
    ("code", 2.0, "def const func struct println printf console stdin stdout malloc nullptr"),
    ("code", 2.0, "refactor repo repository codebase compile compiler git github npm pip docker"),
    ("code", 2.0, "code coding program programming programmer código codice программа программу"),
    ("code", 1.5, "algorithm snippet unittest pytest functions"),
    ("code", 1.5, "distributed microservices backend frontend sharding replicas failover"),
    ("code", 1.5, "latency throughput uptime middleware idempotent scalability scalable"),
    ("code", 1.5, "implement implementation binary recursion hashmap mutex threads goroutine"),
    ("code", 1.5, "funktion fonction función funzione функцию функция код programa programm"),
    ("code", 1.5, "dictionary tuple boolean database server query tests websocket celery"),
    ("code", 0.7, "function class method script array list string thread integer loop linked"),
    ("code", 1.0, "cli parser import return returns null py js ts tsx rs cpp go sh yaml toml"),
    ("code:debugging", 2.5, "debug debugging bug bugs traceback stacktrace segfault deadlock"),
    ("code:debugging", 2.5, "typeerror valueerror keyerror attributeerror nullpointerexception"),
    ("code:debugging", 2.5, "indexerror importerror modulenotfounderror syntaxerror errno panic"),
    ("code:debugging", 1.5, "exception exceptions crash crashes crashed leak leaks flaky hangs"),
    ("code:debugging", 1.0, "error errors fails failing failed fix broken undefined fehler erreur"),
    ("math", 2.5, "theorem lemma corollary eigenvalue eigenvalues polynomial integral derivative"),
    ("math", 2.5, "modulo divisible irrational congruent isomorphic homomorphism topology"),
    ("math", 2.0, "prove proof equation equations algebra geometry calculus matrix determinant"),
    ("math", 2.0, "beweise beweis démontrer démontre demuestra dimostra докажи докажите frac sqrt"),
    ("math", 2.0, "hausdorff metrizable supremum norm bijection cardinality modulus hearts dice"),
    ("math", 1.5, "integers prime primes triangle probability variance sum solve compute squared"),
    ("math", 1.5, "calculate multiply percent percentage fraction average interest hectares"),
    ("math", 1.0, "convert miles kilometers kilometres km celsius fahrenheit pounds kilograms"),
    ("math", 1.0, "kg inches feet meters total many each per cost costs speed gleichung berechne"),
    ("reasoning", 2.0, "puzzle riddle logic logically deduce deduction premises syllogism infer"),
    ("reasoning", 1.5, "therefore implies contradiction tradeoffs consequences knights knaves"),
    ("reasoning", 1.0, "why compare argue evaluate analyze analyse strategy plan decide warum"),
    ("reasoning", 1.0, "left right taller older younger before after true false option options"),
    ("reasoning", 1.5, "argument valid invalid premise clue clues lies truth shuffled"),
    ("knowledge", 2.0, "capital president inventor invented discovered founded born century"),
    ("knowledge", 1.2, "who when where which history biology chemistry physics medicine economics"),
    ("knowledge", 1.5, "wer wann qui quand où quién cuándo dónde chi quando кто когда где"),
    ("knowledge", 1.0, "what explain define definition meaning difference cause causes symptoms"),
    ("knowledge", 1.0, "qué что cosa объясни erkläre explique explica theory law war country"),
    ("writing", 2.5, "poem haiku sonnet essay story lyrics limerick novel screenplay blog"),
    ("writing", 2.5, "gedicht poème poema poesia стихотворение aufsatz histoire cuento рассказ"),
    ("writing", 2.0, "email letter cover draft rewrite rephrase proofread slogan tagline speech"),
    ("writing", 1.5, "write tone article paragraph headline newsletter press linkedin tweet"),
    ("writing", 1.5, "schreibe schreib écris écrire escribe scrivi escreva напиши persuasive"),
    ("roleplay", 3.0, "roleplay rollenspiel"),
    ("roleplay", 1.5, "pretend character persona dungeon tavern npc wizard elf vampire pirate"),
    ("agent", 1.5, "book schedule calendar reservation reminder flight weather browse navigate"),
    ("agent", 1.5, "tool tools click terminal subtask workspace"),
    ("agent", 1.0, "search find order buy send call cancel update playlist alarm timer"),
    ("extraction", 2.5, "extract classify classification categorize categorise sentiment"),
    ("extraction", 2.5, "extrahiere extraire extrae estrai извлеки klassifiziere"),
    ("extraction", 1.5, "csv table json entities fields format keywords parse list spreadsheet"),
    ("extraction", 1.5, "category categories topic descriptor reviewer review rating stars"),
    ("extraction", 1.0, "sort column columns rows positive negative neutral invoice"),
    ("summarization", 3.0, "summarize summarise summary tldr zusammenfassung résumé resumen"),
    ("summarization", 3.0, "zusammen resume résumer resumir riassumi resuma riassunto кратко"),
    ("summarization", 2.0, "condense recap abstract shorten"),
    ("summarization", 1.0, "article bullet points brief meeting notes minutes transcript"),
    ("translation", 3.5, "translate translation übersetze übersetzen traduis traduire traduce"),
    ("translation", 3.5, "traduci traduza traducir переведи перевод перевести vertaal przetłumacz"),
    ("translation", 1.0, "english french german spanish italian portuguese russian chinese"),
    ("translation", 1.0, "japanese korean arabic dutch polish turkish hindi englisch französisch"),
    ("chat", 3.5, "hi hello hey hallo bonjour hola ciao olá привет thanks thank merci danke"),
    ("chat", 3.5, "gracias grazie obrigado спасибо bye goodbye cool ok okay lol yes nope"),
    ("chat", 1.0, "feel feeling hobbies joke weekend sorry morning bored lonely favorite"),
    ("vision", 1.0, "image picture photo screenshot diagram chart bild foto imagen"),
)

# task, log-odds, phrases of two or three words.
TASK_PHRASES = (
    ("code", 2.5, "write a function|write a program|write code|write a python|sql query"),
    ("code", 2.0, "merge sort|quick sort|pull request|unit test|rest api|type hints|fn main"),
    ("code", 2.0, "select from|create table|public static|public class"),
    ("code:debugging", 3.0, "race condition|stack trace|memory leak|null pointer|off by one"),
    ("code:debugging", 2.0, "exception in thread|exit code"),
    ("code:debugging", 2.5, "recent call last|segmentation fault|undefined behavior"),
    ("code:debugging", 2.0, "not working|does not work|doesn't work|throws an|why does this"),
    ("math", 2.5, "word problem|real numbers|complex numbers|natural number|vector space"),
    ("math", 2.0, "how many|how much|show that|in terms of|closed form|and only if"),
    ("math", 2.0, "compact space|without replacement|square root|step function"),
    ("reasoning", 2.0, "step by step|pros and cons|who is lying|think through|what would happen"),
    ("roleplay", 3.0, "role play|you are now|act as|play the role|stay in character"),
    ("roleplay", 2.0, "imagine you|pretend to|you're a|respond as|speak like"),
    ("summarization", 2.5, "key points|main points|in a nutshell|in short|boils down|sum up"),
    ("extraction", 2.0, "following text|into json|as json|of the following|named entities"),
    ("translation", 2.5, "into english|into french|into german|into spanish|to japanese|in french"),
    ("chat", 2.0, "how are you|what's up|good morning|good night|me a joke|nice to meet"),
    ("chat", 2.0, "wie geht|comment ça va|cómo estás|come stai|как дела"),
)

# task, log-odds, marks found anywhere in the lower-cased text; words cannot express them.
TASK_MARKS = (
    (
        "code",
        2.0,
        ("```", "#include", "</div>", "();", "){", ") {", "=>", "def ", "import ", "#!/", ".py"),
    ),
    ("code:debugging", 2.0, ("error:", "\n  at ")),
    (
        "math",
        2.5,
        ("\\frac", "\\sum", "\\int", "\\mathbb", "$$", "x^2", "∫", "∑", "√", "≤", "∀"),
    ),
    ("extraction", 1.5, ('{"', "<xml", "|---")),
)

# How much an expert would have to think, added up.
HARD_WORDS = (
    (1.6, "theorem lemma irrational homomorphism isomorphic topology eigenvalues manifold"),
    (1.6, "deadlock concurrency concurrent linearizable nondeterministic heisenbug mutex"),
    (1.4, "prove proof beweise beweis démontrer démontre demuestra dimostra докажи докажите"),
    (1.2, "distributed consensus raft paxos cryptographic asymptotic np kernel"),
    (1.0, "architecture scalable optimize optimise refactor migrate migration invariant proofs"),
    (1.0, "polynomial integral derivative differential quantum stochastic bayesian theorems"),
    (0.8, "debug debugging traceback segfault flaky thread threads async performance parallel"),
    (0.8, "algorithm derive rigorous rigorously tradeoffs implement integers modulo divisible"),
    (0.6, "endpoint validate validates validation authentication pagination webhook schema"),
    (0.6, "design analyze analyse evaluate strategy equation matrix probability logic puzzle"),
    (0.4, "compare explain write code function plan why essay regex query sql solve"),
    (0.3, "exactly without unless except constraint constraints ensure satisfy"),
    (0.3, "then finally first second third next each every also both handle support"),
)
HARD_PHRASES = (
    (2.4, "race condition|memory leak|lock free|undefined behavior|use after free"),
    (1.5, "for all|and only if|there exist|natural number|time complexity|edge cases"),
    (1.0, "step by step|from scratch|production ready|intermittent|under load|at scale"),
)
EASY_WORDS = (
    (0.8, "hi hello hey hallo bonjour hola ciao olá привет thanks thank merci danke gracias"),
    (0.5, "convert miles km kilometers celsius fahrenheit pounds kg inches capital spell"),
    (0.4, "joke synonym rhyme weather timer alarm translate capitalize uppercase lowercase"),
)

# Words frequent in one of these languages; some are shared, one is worth little, most win.
STOPWORDS = {
    "en": "the and of is to are with that this for what how you it my "
    "your was which who when why have has not please would should if from did does",
    "es": "el los las una para cómo qué está por del pero con es mi "
    "un y de en cuál cuáles quién dónde cuándo este esta lo su tu mis más entre puedo puedes hay",
    "fr": "le les une est pour dans avec vous je mon quel et des du "
    "un de en ce cette ces au aux qui sur pas moi ma mes tu ton quelle quels comment où sont à",
    "de": "der die das und ist nicht ein eine ich mit für wie auf den "
    "dem des einen einem einer im ins vom zum zur von was wer warum wann welche mir mein bitte du",
    "pt": "o os uma não para você como com é meu em do da são "
    "um e de as no na ao à qual quais quem onde quando este esta isso minha mais entre posso há",
    "it": "il gli una è per come che di non con mio della sono "
    "un e lo del dei delle nel nella al alla da cosa qual quale chi dove quando questo questa più",
    "nl": "de het een en van ik niet voor met hoe dat mijn wat",
    "pl": "jest nie się na jak czy mnie dla proszę gdzie kiedy przez",
    "tr": "bir ve bu için ile ne bana çok mi",
    "sv": "och att det som är en jag inte för hur på",
}

# script, first and last code point, ISO 639-1 code of its most written language.
SCRIPTS = (
    ("\u3040", "\u30ff", "ja"),
    ("\uac00", "\ud7af", "ko"),
    ("\u4e00", "\u9fff", "zh"),
    ("\u0400", "\u04ff", "ru"),
    ("\u0600", "\u06ff", "ar"),
    ("\u0900", "\u097f", "hi"),
    ("\u0590", "\u05ff", "he"),
    ("\u0e00", "\u0e7f", "th"),
    ("\u0370", "\u03ff", "el"),
)
