from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from httpx import ASGITransport, AsyncClient

CONTENT = b"body { color: black }"


@pytest.fixture
def browser(settings: Any, tmp_path: Path) -> AsyncClient:
    """A client of a server whose static files are collected."""
    settings.STATIC_ROOT = tmp_path
    (tmp_path / "some.css").write_bytes(CONTENT)
    return AsyncClient(transport=ASGITransport(ASGIHandler()), base_url="http://localhost")


async def test_a_static_file_is_sent_whole_and_without_a_warning(browser: AsyncClient) -> None:
    response = await browser.get("/static/some.css")

    assert response.status_code == 200
    assert response.content == CONTENT
    assert response.headers["content-type"].startswith("text/css")
    assert int(response.headers["content-length"]) == len(response.content)


async def test_a_part_of_a_static_file_is_sent(browser: AsyncClient) -> None:
    response = await browser.get("/static/some.css", headers={"Range": "bytes=0-9"})

    assert response.status_code == 206
    assert response.content == CONTENT[:10]


async def test_an_unchanged_static_file_is_not_sent_again(browser: AsyncClient) -> None:
    first = await browser.get("/static/some.css")

    again = {"If-Modified-Since": first.headers["last-modified"]}
    response = await browser.get("/static/some.css", headers=again)

    assert (response.status_code, response.content) == (304, b"")
