import csv
import io
from decimal import Decimal

import pytest
from django.test import AsyncClient, Client

from activity import export
from activity.models import Generation
from tests.conftest import in_db
from tests.factories import make_generation, make_user


async def exported(user, query=""):
    client = AsyncClient()
    await client.aforce_login(user)
    response = await client.get(f"/activity/export.csv{query}")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return b"".join([part async for part in response.streaming_content]).decode()


async def test_exports_every_column_with_the_exact_cost(async_db):
    user = await in_db(make_user)()
    row = await in_db(make_generation)(user, cost=Decimal("0.000000375001"), app='Say "hi", Zed')

    text = await exported(user)

    (line,) = csv.DictReader(io.StringIO(text))
    assert tuple(line) == export.COLUMNS
    assert line["id"] == row.pk
    assert line["created_at"] == row.created_at.isoformat()
    assert line["cost"] == "0.000000375001"
    assert line["app"] == 'Say "hi", Zed'
    assert line["streamed"] == "false"
    assert line["error_code"] == ""
    assert text.count("\r\n") == 2


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
async def test_no_cell_runs_as_a_formula(async_db, start):
    user = await in_db(make_user)()
    await in_db(make_generation)(user, app=f"{start}HYPERLINK(1)", end_user=f"{start}cmd|' /C'!A1")

    (line,) = csv.DictReader(io.StringIO(await exported(user), newline=""))

    assert line["app"] == f"'{start}HYPERLINK(1)"
    assert line["end_user"].startswith("'")


async def test_exports_the_filtered_set_of_the_user_alone(async_db):
    user = await in_db(make_user)()
    await in_db(make_generation)()
    await in_db(make_generation)(user, provider="OpenAI")
    wanted = await in_db(make_generation)(user)

    lines = list(csv.DictReader(io.StringIO(await exported(user, "?provider=Anthropic"))))

    assert [line["id"] for line in lines] == [wanted.pk]


async def test_every_batch_is_exported_once_and_in_order(async_db):
    user = await in_db(make_user)()
    rows = [await in_db(make_generation)(user) for _ in range(5)]

    own = Generation.objects.owned_by(user)
    parts = [part.decode() async for part in export.csv_parts(own, batch_size=2)]

    assert len(parts) == 4
    lines = list(csv.DictReader(io.StringIO("".join(parts))))
    assert [line["id"] for line in lines] == [row.pk for row in reversed(rows)]


@pytest.mark.django_db
def test_an_invalid_filter_exports_nothing_and_says_so():
    client = Client()
    client.force_login(make_user())

    response = client.get("/activity/export.csv?status=nonsense", follow=True)

    assert response.redirect_chain == [("/activity?status=nonsense", 302)]
    assert "Nothing was exported" in response.content.decode()
