"""Which application sent a request, by the headers that applications send."""

from collections.abc import Mapping
from urllib.parse import urlsplit

LONGEST = 100
APP_HEADERS = ("x-openrouter-title", "x-title", "http-referer", "user-agent")


def app_name(headers: Mapping[str, str]) -> str:
    """The title it gives itself, else its site, else the product of its User-Agent.

    headers: those of APP_HEADERS that were sent, by these names, each byte a character.
    """
    title, other_title, referer, user_agent = (headers.get(name, "") for name in APP_HEADERS)
    name = _text(title or other_title) or _host(_text(referer)) or _product(user_agent)
    return "".join(filter(str.isprintable, name))[:LONGEST]


def _text(header: str) -> str:
    """What a header says: UTF-8, which clients send, else Latin-1, which HTTP once had."""
    if header.isascii():
        return header
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header


def _host(referer: str) -> str:
    try:
        parts = urlsplit(referer)
    except ValueError:
        return ""
    return parts.hostname or "" if parts.scheme in ("http", "https") else ""


def _product(user_agent: str) -> str:
    return user_agent.split(" ", maxsplit=1)[0].split("/", maxsplit=1)[0]
