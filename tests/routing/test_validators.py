from typing import Any

import pytest
from django.core.exceptions import ValidationError

from routing.validators import (
    is_private_host,
    validate_base_url,
    validate_name,
    validate_patterns,
)

PRIVATE = ["localhost", "localhost.", "LOCALHOST", "db", "printer.local", "metadata.internal"]
PRIVATE += ["127.0.0.1", "127.1", "2130706433", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1"]
PRIVATE += ["169.254.169.254", "100.64.0.1", "0177.0.0.1", "0x7f000001", "::1", "::", "fe80::1"]
PRIVATE += ["fd00::1", "::ffff:127.0.0.1", "::ffff:7f00:1", ""]
# Other spellings of the same places.
PRIVATE += ["0x7f.0.0.1", "127.0.0.0x1", "app.localhost", "metadata.google.internal.", "db.local."]
PRIVATE += ["64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "224.0.0.1", "ff02::1"]


@pytest.mark.parametrize("host", PRIVATE)
def test_a_host_that_is_not_public_is_private(host: str) -> None:
    assert is_private_host(host)


PUBLIC = ["api.openai.com", "example.com.", "8.8.8.8", "2606:4700::1111", "0x7f.example.com"]
PUBLIC += ["localhost.example.com", "internal.example.com", "xn--bcher-kva.example"]


@pytest.mark.parametrize("host", PUBLIC)
def test_a_public_host_is_not_private(host: str) -> None:
    assert not is_private_host(host)


@pytest.mark.parametrize(
    "address",
    ["https://api.openai.com/v1", "https://example.com:8443/a/b/v1", "https://8.8.8.8/v1"],
)
def test_a_public_address_over_https_is_good(address: str) -> None:
    validate_base_url(address)


WRONG = ["", "api.openai.com/v1", "ftp://example.com/v1", "https:///v1", "http://example.com/v1"]
WRONG += ["https://user:pass@example.com/v1", "https://example.com/v1?x=1", "https://x.com/v1#a"]
WRONG += ["https://example.com/v1/", "https://example.com/v1/chat/completions", " https://x.com/v1"]
WRONG += ["https://example.com\\@127.0.0.1/v1", "https://127.0.0.1/v1", "https://localhost/v1"]
WRONG += ["https://[::1]/v1", "https://10.0.0.1:8443/v1", "https://2130706433/v1"]


@pytest.mark.parametrize("address", WRONG)
def test_another_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        validate_base_url(address)


@pytest.mark.parametrize("address", ["https://example.com:99999/v1", "https://[::1/v1"])
def test_an_address_that_cannot_be_read_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        validate_base_url(address)


@pytest.mark.parametrize("address", ["http://127.0.0.1:11434/v1", "http://localhost:8000/v1"])
def test_a_private_address_is_good_once_it_is_listed(settings: Any, address: str) -> None:
    settings.AUTOROUTER_PRIVATE_UPSTREAMS = ["127.0.0.1:11434", "localhost:8000"]

    validate_base_url(address)


@pytest.mark.parametrize("address", ["http://127.0.0.1:11435/v1", "http://127.0.0.1/v1"])
def test_a_listing_holds_for_its_port_alone(settings: Any, address: str) -> None:
    settings.AUTOROUTER_PRIVATE_UPSTREAMS = ["127.0.0.1:11434"]

    with pytest.raises(ValidationError):
        validate_base_url(address)


def test_each_bad_pattern_has_its_message() -> None:
    with pytest.raises(ValidationError) as refusal:
        validate_patterns(["anthropic/*", "", "a b"])

    assert len(refusal.value.messages) == 2


def test_good_patterns_pass() -> None:
    validate_patterns(["anthropic/*", "*/claude-*", "openai/gpt-5.1"])


@pytest.mark.parametrize(
    "name",
    [
        "Laptop",
        "Café \N{MIDDLE DOT} 東京",
        # Persian, Devanagari and emoji are written with joiners.
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u0915\u094d\u200d\u0937",
        "\U0001f469\u200d\U0001f4bb",
        "\U0001f469\U0001f3fd\u200d\U0001f4bb",
        "\u2764\ufe0f\u200d\U0001f525",
    ],
)
def test_a_name_of_visible_characters_is_accepted(name: str) -> None:
    validate_name(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("\u202egnp.exe", r"U\+202E RIGHT-TO-LEFT OVERRIDE"),
        ("a\u2066b\u2069", r"U\+2066 LEFT-TO-RIGHT ISOLATE"),
        ("a\u200bb", r"U\+200B ZERO WIDTH SPACE"),
        ("soft\u00adhyphen", r"U\+00AD SOFT HYPHEN"),
        ("a\x1bb", r"U\+001B"),
        ("a\nb", r"U\+000A"),
        ("a\u2028b", r"U\+2028 LINE SEPARATOR"),
        ("a\ud800b", r"U\+D800"),
        ("pr\u200dod", r"U\+200D ZERO WIDTH JOINER"),
        ("\u200c\u0645", r"U\+200C ZERO WIDTH NON-JOINER"),
        ("\u0645\u200c", r"U\+200C ZERO WIDTH NON-JOINER"),
        ("\u0645\u200c\u200c\u0645", r"U\+200C ZERO WIDTH NON-JOINER"),
    ],
)
def test_a_name_with_what_nobody_sees_is_refused(name: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        validate_name(name)
