"""What is revoked or switched off holds everywhere within a second, whatever breaks meanwhile."""

import pytest

from tests.faults.load import Ask, Seen, ends
from tests.faults.stack import Stack, wait_until

pytestmark = pytest.mark.slow

END_LISTENERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE application_name LIKE 'autorouter-listener-%'"
)
REVOKE = "UPDATE routing_apikey SET disabled = true WHERE id = %s"
DELETE = "DELETE FROM routing_apikey WHERE id = %s"
DEACTIVATE = (
    "UPDATE auth_user SET is_active = false "
    "WHERE id = (SELECT user_id FROM routing_apikey WHERE id = %s)"
)


def ask_often(stack: Stack, secret: str) -> list[Seen]:
    """So often that both workers are asked."""
    return stack.clients.send_all([Ask(secret)] * 20)


@pytest.mark.parametrize("change", [REVOKE, DELETE, DEACTIVATE], ids=["off", "gone", "inactive"])
@pytest.mark.parametrize("is_deaf", [False, True], ids=["heard", "unheard"])
def test_a_key_that_is_taken_back_opens_nothing_after_a_second(
    stack: Stack, change: str, is_deaf: bool
) -> None:
    secret = stack.tenant()
    # Both workers know it by then.
    assert ends(ask_often(stack, secret)) == {"done": 20}

    if is_deaf:
        stack.sql(END_LISTENERS)
    stack.sql(change, stack.key_id(secret))

    # What was asked within the second may still be let in.
    wait_until(lambda: {one.status for one in ask_often(stack, secret)} == {401}, 2)
    assert {one.status for one in ask_often(stack, secret)} == {401}
