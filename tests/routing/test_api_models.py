from typing import Any

import pytest
from django.test import Client

from routing.models import LanguageModel
from tests.factories import make_endpoint, make_model, make_offer

KEYS = {"id", "canonical_slug", "name", "created", "context_length", "architecture", "pricing"}
KEYS |= {"top_provider", "per_request_limits", "supported_parameters", "default_parameters"}
KEYS |= {"supported_voices", "links"}
ARCHITECTURE = {"modality", "input_modalities", "output_modalities", "tokenizer", "instruct_type"}


@pytest.fixture
def models(db: None) -> None:
    prices = {"prompt": "0.00000006", "completion": "0.00000018", "cache_read": "0.000000005"}
    model = make_model("a/one", input_modalities=["image", "text"], max_output_tokens=500)
    make_endpoint(model, prices=prices)
    make_endpoint(make_model("b/two"))


def listed(client: Client, query: str = "") -> dict[str, Any]:
    response = client.get(f"/api/v1/models{query}")
    assert response.status_code == 200
    return response.json()


def test_the_router_and_every_model_are_listed_without_a_key(client: Client, models: None) -> None:
    answer = listed(client)

    assert answer["object"] == "list"
    assert [entry["id"] for entry in answer["data"]] == ["openrouter/auto", "a/one", "b/two"]
    assert (answer["total_count"], answer["links"]) == (3, {"next": None})


@pytest.mark.parametrize("index", [0, 1])
def test_every_entry_has_what_strict_clients_need(client: Client, models: None, index: int) -> None:
    entry = listed(client)["data"][index]

    assert entry.keys() >= KEYS
    assert entry["architecture"].keys() >= ARCHITECTURE
    assert type(entry["created"]) is int
    assert "benchmarks" not in entry
    assert {type(price) for price in entry["pricing"].values()} == {str}


def test_a_model_is_described_by_its_facts(client: Client, models: None) -> None:
    entry = listed(client)["data"][1]

    assert entry["architecture"]["modality"] == "text+image->text"
    assert entry["top_provider"]["max_completion_tokens"] == 500
    assert entry["pricing"]["prompt"] == "0.00000006"
    assert entry["pricing"]["input_cache_read"] == "0.000000005"


def test_the_price_of_the_router_is_minus_one(client: Client, models: None) -> None:
    router = listed(client)["data"][0]

    assert router["pricing"] == {"prompt": "-1", "completion": "-1"}
    assert "tools" in router["supported_parameters"]


@pytest.mark.parametrize(
    ("query", "ids", "following"),
    [
        ("?limit=2", ["openrouter/auto", "a/one"], "/api/v1/models?offset=2&limit=2"),
        ("?offset=2&limit=2", ["b/two"], None),
        ("?offset=0&limit=500", ["openrouter/auto", "a/one", "b/two"], None),
        ("?offset=1000000000000", [], None),
        ("?limit=0", [], None),
        ("?supported_voices=x&unknown=1", ["openrouter/auto", "a/one", "b/two"], None),
    ],
)
def test_the_list_is_paged(
    client: Client, models: None, query: str, ids: list[str], following: str | None
) -> None:
    answer = listed(client, query)

    assert [entry["id"] for entry in answer["data"]] == ids
    assert answer["links"]["next"] == following


@pytest.mark.parametrize("name", ["offset", "limit"])
@pytest.mark.parametrize("value", ["-1", "abc", "1.5", "", "٣", "9" * 5000])
def test_a_page_is_named_by_whole_numbers(client: Client, db: None, name: str, value: str) -> None:
    response = client.get("/api/v1/models", {name: value})

    assert response.status_code == 400
    assert response.json()["error"]["metadata"]["param"] == name


def test_an_offset_is_taken_as_it_is_and_a_limit_up_to_a_thousand(
    client: Client, models: None
) -> None:
    facts = LanguageModel.objects.values().get(slug="b/two") | {"id": None}
    names = [{"slug": f"c/{n:04}", "canonical_slug": f"c/{n:04}-1"} for n in range(1000)]
    more = [LanguageModel(**facts | name) for name in names]
    LanguageModel.objects.bulk_create(more)

    assert [entry["id"] for entry in listed(client, "?offset=1002&limit=5000")["data"]] == [
        "c/0999"
    ]
    assert len(listed(client, "?limit=5000")["data"]) == 1000
    assert listed(client, "?limit=5000")["links"]["next"] == "/api/v1/models?offset=1000&limit=1000"


@pytest.mark.parametrize("prefix", ["/api/v1", "/v1"])
@pytest.mark.parametrize("name", ["a/one", "a%2Fone", "A/One", "a/one-20251001", "openrouter/auto"])
def test_one_model_is_its_entry_of_the_list(
    client: Client, models: None, prefix: str, name: str
) -> None:
    response = client.get(f"{prefix}/models/{name}")

    index = 0 if name == "openrouter/auto" else 1
    assert response.json() == listed(client)["data"][index]


@pytest.mark.parametrize("index", [0, 1])
def test_the_details_of_an_entry_are_where_it_says(
    client: Client, models: None, index: int
) -> None:
    entry = listed(client)["data"][index]

    assert client.get(entry["links"]["details"]).json()["id"] == entry["id"]


def test_the_router_can_do_what_its_pool_can(client: Client, models: None) -> None:
    make_model("c/off", enabled=False, context_length=10**7, input_modalities=["video"])
    make_model("e/else", in_auto_pool=False, context_length=10**7)

    router = listed(client)["data"][0]

    assert router["context_length"] == 200_000
    assert router["architecture"]["modality"] == "text+image->text"


def test_the_router_can_do_no_more_than_who_is_served(client: Client, models: None) -> None:
    make_offer("c/served", model={"context_length": 1000})

    router = listed(client)["data"][0]

    assert router["context_length"] == 1000
    assert router["architecture"]["modality"] == "text->text"


def test_a_router_without_a_pool_promises_nothing(client: Client, db: None) -> None:
    router = listed(client)["data"][0]

    assert router["context_length"] is None
    assert router["architecture"]["modality"] == "text->text"
    assert router["supported_parameters"] == []


def test_the_list_is_also_under_v1(client: Client, models: None) -> None:
    assert client.get("/v1/models").json()["total_count"] == 3


@pytest.mark.parametrize("key", ["Bearer nobody", "Bearer", ""])
def test_a_wrong_key_does_not_matter(client: Client, models: None, key: str) -> None:
    response = client.get("/api/v1/models", headers={"Authorization": key})

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/api/v1/models", {}, 405),
        ("OPTIONS", "/api/v1/models", {}, 405),
        ("GET", "/api/v1/models/a/none", {}, 404),
        ("GET", "/api/v1/models/a%00b", {}, 404),
        ("GET", "/api/v1/nope", {}, 404),
        ("GET", "/api/v1", {}, 404),
        ("POST", "/v1", {"Accept": "text/html"}, 404),
        ("POST", "/api/v1/nope", {"Accept": "text/html"}, 404),
        ("GET", "/api/v1/models/", {}, 404),
        ("POST", "/api/v1/chat/completions/", {}, 404),
        ("POST", "/api/v1//chat/completions", {}, 404),
    ],
)
def test_what_is_not_there_is_an_error_that_a_program_can_read(
    client: Client, db: None, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    response = client.generic(method, path, headers=headers)

    assert response.status_code == status
    assert response.json()["error"]["code"] == status
    assert response["Cache-Control"] == "no-store"
