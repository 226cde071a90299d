"""What may be saved: addresses of upstreams, model patterns and names."""

import ipaddress
import unicodedata
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError

from routing.engine import patterns

# Unicode categories of what has no shape of its own but may turn, hide or split what stands around
# it: control and format characters, surrogates, line and paragraph separators.
UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
# Of what joins: letters of scripts without case, such as Arabic and the Indic ones, their marks,
# and emoji with their skin tones. Between Latin letters a joiner would only make a second name
# that looks like the first.
JOINING = ("Lo", "Mn", "Mc", "So", "Sk")
PRIVATE_LABELS = ("localhost", "local", "localdomain", "internal", "lan", "home", "arpa")
NAT64 = ipaddress.ip_network("64:ff9b::/96")
IPV4_COMPATIBLE = ipaddress.ip_network("::/96")


def validate_patterns(value: Sequence[str]) -> None:
    """Raises ValidationError with one message per pattern that cannot be used."""
    if problems := patterns.problems(value):
        raise ValidationError(problems)


def validate_name(value: str) -> None:
    """Raises ValidationError for a character that nobody sees, such as one that turns the text."""
    for at, char in enumerate(value):
        if unicodedata.category(char) in UNSEEN and not _joins(value, at):
            code = f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()
            raise ValidationError(
                f"The name holds {code}, which nobody sees; visible characters are accepted."
            )


def validate_key_variable(value: str) -> None:
    """Raises ValidationError unless it names a variable that the settings read as a key."""
    endings = " or ".join(settings.PROVIDER_KEY_ENDINGS)
    if not value.endswith(settings.PROVIDER_KEY_ENDINGS):
        raise ValidationError(
            f"{value} is not read: the name must end in {endings}, so that no other secret of "
            "this server can be sent to a provider."
        )


def validate_base_url(value: str) -> None:
    """Raises ValidationError unless it is https to a public host, or a listed private one."""
    host, port = _host_and_port(value)
    if f"{host}:{port}" in settings.AUTOROUTER_PRIVATE_UPSTREAMS:
        return
    if not value.startswith("https://"):
        raise ValidationError(
            f"{host}:{port} must be reached over https, or be listed in "
            "AUTOROUTER_PRIVATE_UPSTREAMS."
        )
    if is_private_host(host):
        raise ValidationError(
            f"{host}:{port} is private; list it in AUTOROUTER_PRIVATE_UPSTREAMS to allow it."
        )


def _joins(text: str, at: int) -> bool:
    """Whether it is a joiner between two characters of a script that joins."""
    around = text[at - 1 : at] + text[at + 1 : at + 2]
    return (
        text[at] in JOINERS
        and len(around) == 2
        and all(unicodedata.category(char) in JOINING for char in around)
    )


def _host_and_port(value: str) -> tuple[str, int]:
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https"):
        raise ValidationError(f"{value!r} is not an address; send https://host/path.")
    if parts.username or parts.query or parts.fragment or "\\" in value or value != value.strip():
        raise ValidationError("The address may hold a host, a port and a path, nothing else.")
    if value.endswith(("/", "/chat/completions")):
        raise ValidationError("End the address with the version, such as /v1, without a slash.")
    return host, port or (443 if parts.scheme == "https" else 80)


def is_private_host(host: str) -> bool:
    """Whether a host is, by its spelling, not a public name or address.

    The last label decides what a resolver makes of it: a number, in whatever notation, is an
    address (WHATWG URL, "ends in a number"), and what is no full dotted quad is refused.
    """
    host = host.rstrip(".").lower()
    try:
        return not _is_public(ipaddress.ip_address(host))
    except ValueError:
        pass
    labels = host.split(".")
    return (
        len(labels) < 2
        or labels[-1] in PRIVATE_LABELS
        or labels[-1].isdigit()
        or labels[-1].startswith("0x")
    )


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Also of an IPv4 address inside an IPv6 one: mapped, compatible, NAT64 or 6to4."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64 or address in IPV4_COMPATIBLE:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast
