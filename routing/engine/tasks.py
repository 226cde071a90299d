"""The task types a prompt may have, the group whose abilities count for each, and coarse kinds."""

from typing import NamedTuple

# Columns of abilities.csv: what models are known to be good or bad at.
GROUPS = (
    "code",
    "code:debugging",
    "math",
    "reasoning",
    "knowledge",
    "writing",
    "roleplay",
    "agent",
    "extraction",
    "summarization",
    "translation",
    "chat",
    "vision",
)


class Task(NamedTuple):
    """A task type: its name, the ability that it draws on, and the coarse kind it is judged by."""

    name: str
    group: str
    kind: str


_ALL = (
    Task("code:generation", "code", "code"),
    Task("code:debugging", "code:debugging", "code"),
    Task("code:review", "code", "code"),
    Task("code:sql", "code", "code"),
    Task("code:explanation", "code", "code"),
    Task("math:problem", "math", "math"),
    Task("math:proof", "math", "math"),
    Task("math:conversion", "math", "math"),
    Task("reasoning:logic", "reasoning", "reasoning"),
    Task("reasoning:commonsense", "reasoning", "reasoning"),
    Task("reasoning:analysis", "reasoning", "reasoning"),
    Task("reasoning:data", "reasoning", "reasoning"),
    Task("knowledge:fact", "knowledge", "knowledge"),
    Task("knowledge:science", "knowledge", "knowledge"),
    Task("knowledge:explanation", "knowledge", "knowledge"),
    Task("writing:creative", "writing", "writing"),
    Task("writing:business", "writing", "writing"),
    Task("writing:editing", "writing", "writing"),
    Task("writing:translation", "translation", "translation"),
    Task("roleplay", "roleplay", "roleplay"),
    Task("agent:tools", "agent", "tool use"),
    Task("agent:planning", "agent", "tool use"),
    Task("extraction:classification", "extraction", "extraction"),
    Task("extraction:fields", "extraction", "extraction"),
    Task("extraction:reading", "extraction", "extraction"),
    Task("summarization", "summarization", "extraction"),
    Task("chat:smalltalk", "chat", "chat"),
    Task("chat:advice", "chat", "chat"),
    Task("vision:question", "vision", "vision"),
    Task("vision:document", "vision", "vision"),
)

TASKS = tuple(task.name for task in _ALL)
GROUP_OF = {task.name: task.group for task in _ALL}

# Ten kinds on which typing is judged, and vision; a summary is taken from a given text, as an
# extraction is, and a plan is carried out, as a tool call is.
KIND_OF = {task.name: task.kind for task in _ALL}
