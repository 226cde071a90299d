"""Which application sent a request, by the headers that applications send."""

from collections.abc import Mapping
from urllib.parse import urlsplit

LONGEST = 100


def app_name(headers: Mapping[str, str]) -> str:
    """The title it gives itself, else its site, else the product of its User-Agent."""
    title = headers.get("X-OpenRouter-Title") or headers.get("X-Title")
    name = (
        title or _host(headers.get("HTTP-Referer", "")) or _product(headers.get("User-Agent", ""))
    )
    return "".join(character for character in name if character.isprintable())[:LONGEST]


def _host(referer: str) -> str:
    try:
        parts = urlsplit(referer)
    except ValueError:
        return ""
    return parts.hostname or "" if parts.scheme in ("http", "https") else ""


def _product(user_agent: str) -> str:
    return user_agent.split(" ", maxsplit=1)[0].split("/", maxsplit=1)[0]
