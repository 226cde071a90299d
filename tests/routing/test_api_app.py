import pytest

from activity.models import Generation
from tests.conftest import Api
from tests.routing.stories import offer

TITLE = "Café 中文 🦊"


@pytest.mark.parametrize(
    ("name", "value", "app"),
    [
        ("X-Title", TITLE.encode(), TITLE),
        ("X-OpenRouter-Title", TITLE.encode(), TITLE),
        ("X-Title", "Café".encode("latin-1"), "Café"),
        ("X-Title", "a\u202eb".encode(), "ab"),
        ("HTTP-Referer", "https://BÜCHER.example/a".encode(), "bücher.example"),
    ],
)
async def test_the_app_is_named_as_its_header_meant(
    api: Api, name: str, value: bytes, app: str
) -> None:
    await offer(api, {"slug": "a/one"})
    headers = {"Authorization": f"Bearer {api.secret}".encode(), name: value}
    body = {"model": "a/one", "messages": [{"role": "user", "content": "Hello"}]}

    response = await api.client.post("/api/v1/chat/completions", json=body, headers=headers)

    assert response.status_code == 200
    assert (await Generation.objects.aget()).app == app
