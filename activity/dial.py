"""The eleven positions of the cost/quality dial, in words."""

WORDS = (
    "best quality whatever the cost",
    "nearly always the best model",
    "strong quality, cost hardly counts",
    "strong quality, skips needless luxury",
    "leans to quality",
    "quality and cost weigh alike",
    "leans to saving",
    "saves cost, keeps strong quality",
    "saves clearly, accepts small losses",
    "cheap unless the task is hard",
    "cheapest model that can do it",
)
