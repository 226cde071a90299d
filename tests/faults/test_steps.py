"""`kill -9` at each step of a request: what is left says how far it had come."""

from dataclasses import dataclass

import pytest

from tests.faults.load import Ask
from tests.faults.size import IS_LONG, SIZE
from tests.faults.stack import Stack, wait_until

pytestmark = pytest.mark.slow

# What the writer sends holds these names: an intent the first, a settlement the second. The
# commit goes out with either, as a prepared statement whose text is not seen again.
INTENT, SETTLEMENT = b'"deadline_seconds"', b'"cost_lines"'
INTENT_UNHEARD, SETTLEMENT_UNHEARD = {"deafen": INTENT}, {"deafen": SETTLEMENT}
ROWS = "SELECT status, cost > 0 FROM activity_generation WHERE key_id = %s"
RESERVED = "SELECT count(*) FROM activity_spend WHERE owner = %s AND reserved <> 0"


@dataclass(frozen=True)
class Step:
    """Where a request is when its worker dies; `fault` is what the database's proxy does.

    `at` are the rows at that moment, `after` those that remain: status, and whether charged.
    """

    name: str
    script: str
    fault: dict[str, bytes]
    at: tuple[tuple[str, bool], ...]
    after: tuple[tuple[str, bool], ...]


OPEN, INTERRUPTED, COMPLETED = ("open", False), ("interrupted", False), ("completed", True)
# The first two share the end of the next one: they need nothing of the database's proxy.
EVERY_STEP = [
    Step("once the provider was asked", "hang", {}, (OPEN,), (INTERRUPTED,)),
    Step("after the first word", "long-stream", {}, (OPEN,), (INTERRUPTED,)),
    Step("before its intent arrives", "ok", {"hold": INTENT}, (), ()),
    Step("before its intent is heard of", "ok", INTENT_UNHEARD, (OPEN,), (INTERRUPTED,)),
    Step("before its settlement arrives", "ok", {"hold": SETTLEMENT}, (OPEN,), (INTERRUPTED,)),
    Step("before it is heard of", "ok", SETTLEMENT_UNHEARD, (COMPLETED,), (COMPLETED,)),
]
# The long run dies at every one of them, the short one where a commit was not heard of.
STEPS = [step for step in EVERY_STEP if IS_LONG or "hold" not in step.fault]


def reach(stack: Stack, step: Step) -> str:
    """Ask and wait until that step; where it is one of the database, end the server there and
    start it again. The key that asked."""
    secret = stack.tenant("5")
    asked = stack.upstream.stats()["scripts"].get(step.script, 0)
    stack.store.set(**step.fault)
    fields = (("max_tokens", 700),)
    stack.clients.send(
        Ask(secret, f"faulty/{step.script}", step.script == "long-stream", fields=fields)
    )
    if not step.fault:
        wait_until(lambda: stack.upstream.stats()["scripts"].get(step.script, 0) > asked, 10)
        return secret
    assert stack.store.caught.wait(10)
    wait_until(lambda: rows_of(stack, secret) == step.at, 5)
    stack.gateway.kill()
    stack.store.heal()
    stack.gateway.start()
    return secret


def rows_of(stack: Stack, secret: str) -> tuple[tuple[str, bool], ...]:
    return tuple(stack.sql(ROWS, stack.key_id(secret)))


@pytest.mark.parametrize("_round", range(SIZE.step_rounds))
def test_kill_9_at_each_step(stack: Stack, _round: int) -> None:
    asked = [(reach(stack, step), step) for step in STEPS]

    wait_until(lambda: all(rows_of(stack, secret) == step.after for secret, step in asked), 15)
    owners = [f"key:{stack.key_id(secret)}" for secret, _ in asked]
    assert [stack.sql(RESERVED, owner) for owner in owners] == [[(0,)]] * len(STEPS)
