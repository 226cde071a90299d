"""Rows for the tests: valid by default; a test passes only what it is about."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import count
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from activity import candidates
from activity.models import Attempt, Generation
from routing.credentials import create_key, save_credential
from routing.models import ApiKey, Endpoint, LanguageModel, Price, Provider

PASSWORD = "correct horse battery"

# A decision as stored with a generation, in all its parts.
DECISION = {
    "version": "rules-1",
    "requested": "openrouter/auto",
    "strategy": "auto",
    "tradeoff": {"value": 7, "source": "settings"},
    "allowed": {"patterns": ["anthropic/*"], "source": "request"},
    "sticky": {"kind": "session_id", "state": "followed", "model": "anthropic/claude-haiku-4.5"},
    "analysis": {"task": "code", "tasks": {"code": 0.81, "math": 0.1}, "complexity": 3},
    "candidates": candidates.store(
        [
            ("openai/gpt-5", 0.83, 0.0062, 0.6, 0.76, 0.88),
            ("anthropic/claude-haiku-4.5", 0.81, 0.00123, 0.512, 0.74, 0.87),
            ("anthropic/claude-opus-4.6", 0.80, 0.0123, 0.31, 0.74, 0.86),
        ]
    ),
    "chosen": "anthropic/claude-haiku-4.5",
    "out": [{"model": "x-ai/grok-3", "reason": "pattern", "detail": "No pattern fits it."}],
}

_numbers = count(1)
_hash = cache(make_password)


def make_user(**fields: Any) -> AbstractBaseUser:
    """A user whose password is PASSWORD; the hash is made once, as it is slow on purpose."""
    fields = {"username": f"user-{next(_numbers)}", "password": _hash(PASSWORD), **fields}
    return get_user_model().objects.create(**fields)


def make_key(user: Any = None, **fields: Any) -> ApiKey:
    key, _ = create_key(user or make_user(), **{"name": "Laptop", **fields})
    return key


def make_generation(user: Any = None, **fields: Any) -> Generation:
    """A completed request of this moment, by the key Laptop."""
    now = timezone.now()
    defaults = {
        "id": f"gen-1795300000-{next(_numbers):020}",
        "created_at": now,
        "settled_at": now,
        "deadline": now + timedelta(minutes=30),
        "status": Generation.Status.COMPLETED,
        "worker": 1,
        "user": user or make_user(),
        "key_id": 1,
        "key_name": "Laptop",
        "requested_model": "openrouter/auto",
        "routed_model": "anthropic/claude-haiku-4.5",
        "provider": "Anthropic",
        "streamed": False,
        "attempts": 1,
        "finish_reason": "stop",
        "prompt_tokens": 120,
        "completion_tokens": 40,
        "cost": Decimal("0.00032"),
        "latency_ms": 900,
    }
    row = Generation.objects.create(**{**defaults, **fields})
    row.refresh_from_db()
    return row


def make_attempt(generation: Generation, **fields: Any) -> Attempt:
    defaults = {
        "number": 1,
        "model": generation.routed_model,
        "provider": generation.provider,
        "upstream_model": "claude-haiku-4-5",
        "status": Attempt.Status.SUCCEEDED,
        "http_status": 200,
        "latency_ms": 880,
    }
    return Attempt.objects.create(generation=generation, **{**defaults, **fields})


def make_model(slug: str = "anthropic/claude-haiku-4.5", **fields: Any) -> LanguageModel:
    """A text model of the pool, with a canonical slug of its own."""
    defaults = {
        "canonical_slug": f"{slug}-20251001",
        "name": slug,
        "created": datetime(2025, 10, 1, tzinfo=UTC),
        "context_length": 200_000,
        "max_output_tokens": 64_000,
        "input_modalities": ["text"],
        "output_modalities": ["text"],
        "supported_parameters": ["max_tokens", "temperature", "tools", "tool_choice"],
        "in_auto_pool": True,
    }
    return LanguageModel.objects.create(slug=slug, **{**defaults, **fields})


def make_endpoint(model: LanguageModel | None = None, **fields: Any) -> Endpoint:
    """A model at a provider that needs no credential, with a price."""
    model = model or make_model()
    provider, _ = Provider.objects.get_or_create(
        slug=fields.pop("provider", "demo"),
        defaults={
            "name": "Demo",
            "base_url": "https://provider.example/v1",
            "needs_credential": False,
        },
    )
    prices = {"prompt": "0.000001", "completion": "0.000005", **fields.pop("prices", {})}
    fields = {"upstream_model": model.slug, **fields}
    endpoint = Endpoint.objects.create(model=model, provider=provider, **fields)
    Price.objects.create(endpoint=endpoint, **prices)
    return endpoint


def make_secret(user: Any = None, **fields: Any) -> tuple[ApiKey, str]:
    """A key together with its secret."""
    return create_key(user or make_user(), **{"name": "Laptop", **fields})


def make_offer(slug: str = "a/one", provider: str = "up", **fields: Any) -> Endpoint:
    """A usable endpoint of the model, at a provider with a saved credential.

    Fields of the model go in `model`, of the provider in `at`, of the price in `prices`.
    """
    model_fields, at = fields.pop("model", {}), fields.pop("at", {})
    model = LanguageModel.objects.filter(slug=slug).first() or make_model(slug, **model_fields)
    address = f"https://{provider}.example.com/v1"
    defaults = {"name": provider.title(), "base_url": address, **at}
    served_by, created = Provider.objects.get_or_create(slug=provider, defaults=defaults)
    if created and served_by.needs_credential:
        save_credential(served_by, f"sk-{provider}-credential")
    prices = {"prompt": "0.000001", "completion": "0.000002", **fields.pop("prices", {})}
    endpoint, is_new = Endpoint.objects.get_or_create(
        model=model, provider=served_by, **{"upstream_model": slug, **fields}
    )
    if is_new:
        Price.objects.create(endpoint=endpoint, **prices)
    return endpoint
