from collections import Counter
from collections.abc import Sequence

import pytest

from activity.models import Generation
from tests.bad_input.shape import SHAPE
from tests.bad_input.values import VALUES
from tests.bad_input.vectors import Vector
from tests.bad_input.wire import WIRE
from tests.conftest import Api, FakeProvider
from tests.routing.stories import offer

TABLES = {"wire": WIRE, "shape": SHAPE, "values": VALUES}


@pytest.mark.parametrize("table", TABLES)
async def test_bad_input_is_refused_as_wanted_and_leaves_nothing(
    api: Api, provider: FakeProvider, table: str
) -> None:
    vectors: Sequence[Vector] = TABLES[table]
    await offer(api, {"slug": "anthropic/claude-haiku-4.5", "model": {"context_length": 10**7}})

    answers = [await vector.send(api) for vector in vectors]

    found = {v.id: v.outcome(answer) for v, answer in zip(vectors, answers, strict=True)}
    wanted = {vector.id: vector.wanted for vector in vectors}
    assert dict(found.items() - wanted.items()) == {}
    answered = [vector for vector in vectors if vector.status == 200]
    assert len(provider.requests) == len(answered)
    assert await Generation.objects.acount() == len(answered)


def test_there_are_enough_vectors_and_each_is_told_from_the_others() -> None:
    names = [vector.id for table in TABLES.values() for vector in table]

    assert len(names) >= 400
    assert [name for name, times in Counter(names).items() if times > 1] == []
