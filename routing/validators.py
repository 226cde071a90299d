"""What may be saved: addresses of upstreams and model patterns."""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError

from routing.engine import patterns


def validate_patterns(value: Sequence[str]) -> None:
    """Raises ValidationError with one message per pattern that cannot be used."""
    if problems := patterns.problems(value):
        raise ValidationError(problems)


def validate_base_url(value: str) -> None:
    """Raises ValidationError unless it is https to a public host, or a listed private one."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValidationError(f"{value!r} is not an address; send https://host/path.")
    if parts.username or parts.query or parts.fragment or "\\" in value or value != value.strip():
        raise ValidationError("The address may hold a host, a port and a path, nothing else.")
    if value.endswith(("/", "/chat/completions")):
        raise ValidationError("End the address with the version, such as /v1, without a slash.")
    default_port = 443 if parts.scheme == "https" else 80
    host_port = f"{parts.hostname}:{parts.port or default_port}"
    if host_port in settings.AUTOROUTER_PRIVATE_UPSTREAMS:
        return
    if parts.scheme != "https":
        raise ValidationError(
            f"{host_port} must be reached over https, or be listed in AUTOROUTER_PRIVATE_UPSTREAMS."
        )
    if is_private_host(parts.hostname):
        raise ValidationError(
            f"{host_port} is private; list it in AUTOROUTER_PRIVATE_UPSTREAMS to allow it."
        )


def is_private_host(host: str) -> bool:
    """Whether a host name is, by its spelling, not a public address."""
    if host.rstrip(".").lower() in ("localhost", "") or host.endswith((".local", ".internal")):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host.rstrip(".") or host.replace(".", "").isdigit()
