import pytest
from django.test import Client

from tests.factories import make_endpoint, make_secret


@pytest.mark.parametrize("path", ["/api/v1/models", "/v1/models?format=xml", "/api/v1/key"])
@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=0.9", "x", ""])
def test_the_answer_is_json_whatever_is_accepted(
    client: Client, db: None, path: str, accept: str
) -> None:
    make_endpoint()
    key = f"Bearer {make_secret()[1]}"

    response = client.get(path, headers={"Accept": accept, "Authorization": key})

    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
