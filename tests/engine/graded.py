"""A small world of graded prompts in which it is known what the prompts ask for."""

import numpy as np

from routing.engine.analysis import analyse
from routing.engine.conversation import read
from routing.engine.evaluation.data import Prompt, Score, graded

PLAIN = analyse(read([{"role": "user", "content": "hi"}]))
WORLD_TASKS = ("code", "math", "writing")

# Logits of three models per task, and USD per prompt: each task has its own bargain.
ABILITIES = {
    "small": (2.0, -1.5, -1.5),
    "middle": (0.0, 2.0, -1.0),
    "large": (2.0, 2.0, 2.0),
}
COSTS = {"small": 0.0001, "middle": 0.0003, "large": 0.001}


def make_prompt(name="p1", text="Hello", **keys):
    return Prompt(name, ({"role": "user", "content": text},), text, keys)


def make_scores(prompts, score=1.0, cost=0.01, models=("small", "large")):
    return [Score(prompt.id, model, score, cost) for prompt in prompts for model in models]


def make_world(n=600, seed=0, spread=1.0):
    """Prompts that say their task and difficulty, and scores drawn from what follows of them."""
    lots = np.random.default_rng(seed)
    prompts, scores = [], []
    for at in range(n):
        task = int(lots.integers(len(WORLD_TASKS)))
        difficulty = float(lots.normal(0, spread))
        text = f"{WORLD_TASKS[task]} {difficulty:.3f} number {at} {'x' * int(lots.integers(60))}"
        prompts.append(make_prompt(f"p{at:04}", text, task=WORLD_TASKS[task]))
        for model, abilities in ABILITIES.items():
            chance = 1 / (1 + np.exp(difficulty - abilities[task]))
            scores.append(Score(f"p{at:04}", model, float(lots.random() < chance), COSTS[model]))
    return prompts, scores


def make_graded(**world):
    return graded(*make_world(**world))


def knowing(conversation):
    """An analysis that reads a world's prompts as they are."""
    task, difficulty, *_ = conversation.turns[-1].split()
    return PLAIN._replace(
        tasks=dict.fromkeys(WORLD_TASKS, 0.0) | {task: 1.0}, difficulty=float(difficulty)
    )


def shuffled(seed=0):
    """An analysis that says of each prompt what is true of some other."""
    lots = np.random.default_rng(seed)

    def analyse_another(conversation):
        task = WORLD_TASKS[int(lots.integers(len(WORLD_TASKS)))]
        tasks = dict.fromkeys(WORLD_TASKS, 0.0) | {task: 1.0}
        return PLAIN._replace(tasks=tasks, difficulty=float(lots.normal()))

    return analyse_another
