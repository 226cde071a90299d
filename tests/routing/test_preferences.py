import time
from decimal import Decimal
from typing import Any

import pytest

from routing import preferences
from routing.errors import InvalidRequest
from routing.preferences import PluginRequest, ProviderPreferences


def plugin(**fields: Any) -> PluginRequest:
    return preferences.plugin([{"id": "auto-router"} | fields])


def refused(value: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refusal:
        preferences.plugin(value)
    assert (refusal.value.status, refusal.value.error_type) == (400, "invalid_request")
    return refusal.value


@pytest.mark.parametrize(
    ("plugins", "named"),
    [
        ({}, "plugins"),
        ("x", "plugins"),
        ([None], "plugins[0]"),
        ([5], "plugins[0]"),
        ([{}], "plugins[0].id"),
        ([{"id": 5}], "plugins[0].id"),
        ([{"id": "auto-rooter"}], "plugins[0].id"),
        *[([{"id": "web", "enabled": value}], "plugins[0].id") for value in (True, None, 0, "no")],
        ([{"id": 5, "enabled": False}], "plugins[0].id"),
        ([{"enabled": False}], "plugins[0].id"),
        ([{"id": "auto-router"}, {"id": "auto-router"}], "plugins"),
    ],
)
def test_plugins_are_one_known_entry(plugins: Any, named: str) -> None:
    error = refused(plugins)

    assert error.metadata["param"] == named
    assert named in error.message


def test_a_plugin_that_is_switched_off_may_be_unknown() -> None:
    off = {"id": "web", "enabled": False, "max_results": 3}
    router = {"id": "auto-router", "cost_quality_tradeoff": 3}

    assert preferences.plugin([off]) == PluginRequest()
    assert preferences.plugin([off, router, off]).tradeoff == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("enabled", value) for value in ("yes", 0, 1, None)],
        *[("pin_model", value) for value in ("yes", 1)],
        ("allowed_model", ["anthropic/*"]),
        ("costQualityTradeoff", 5),
        *[("cost_quality_tradeoff", value) for value in (True, False, 7.5, 10.0001, -0.5)],
        *[("cost_quality_tradeoff", value) for value in (11, -1, 1e308, 9007199254740993)],
        *[("cost_quality_tradeoff", value) for value in ("7", "", [7], {}, None)],
        *[("cost_tier", value) for value in ("cheap", 5, None, "LOW")],
        *[("allowed_models", value) for value in (None, "anthropic/*", {}, [5], [None], [["a"]])],
        ("allowed_models", ["a/*"] * 1025),
        ("allowed_models", ["a" * 1025]),
        ("allowed_models", ["a" * 1000] * 65 + ["a" * 537]),
        *[("excluded_models", [value]) for value in ("", " ", "a b", "a\x00", "a\nb", "a\x07")],
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(field: str, value: Any) -> None:
    error = refused([{"id": "auto-router", field: value}])

    assert error.metadata["param"] == f"plugins[0].{field}"
    assert f"plugins[0].{field}" in error.message


@pytest.mark.parametrize(
    ("given", "read"), [(0, 0), (10, 10), (7, 7), (7.0, 7), (1e1, 10), (-0.0, 0), (-0, 0)]
)
def test_a_tradeoff_is_a_whole_number_however_written(given: float, read: int) -> None:
    tradeoff = plugin(cost_quality_tradeoff=given).tradeoff

    assert (tradeoff, type(tradeoff)) == (read, int)


@pytest.mark.parametrize(
    ("tier", "tradeoff"), [("low", 9), ("medium", 7), ("high", 5), ("xhigh", 3), ("max", 1)]
)
def test_a_tier_wins_over_the_number(tier: str, tradeoff: int) -> None:
    assert plugin(cost_tier=tier, cost_quality_tradeoff=0).tradeoff == tradeoff


@pytest.mark.parametrize("patterns", [[], ["*"], ["*/*"], ["**"], ["anthropic/*", "*/claude-*"]])
def test_patterns_are_kept_as_they_are(patterns: list[str]) -> None:
    assert plugin(allowed_models=patterns).allowed_models == tuple(patterns)


@pytest.mark.parametrize(
    "patterns", [["a" * 1024], ["a/*"] * 1024, ["a" * 1000] * 65 + ["a" * 536]]
)
def test_the_published_limits_themselves_are_accepted(patterns: list[str]) -> None:
    assert plugin(excluded_models=patterns).excluded_models == tuple(patterns)


def test_a_thousand_hostile_patterns_are_read_quickly() -> None:
    started = time.perf_counter()

    plugin(allowed_models=["*a*a*a*a*a*a*a*a*c"] * 1024)

    assert time.perf_counter() - started < 0.1


def test_nothing_said_leaves_every_field_open() -> None:
    assert preferences.plugin(None) == preferences.plugin([]) == PluginRequest()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("openai", "provider"),
        ({"order": "openai"}, "provider.order"),
        ({"only": [5]}, "provider.only[0]"),
        ({"ignore": ["x"] * 101}, "provider.ignore"),
        ({"allow_fallbacks": "no"}, "provider.allow_fallbacks"),
        ({"require_parameters": 1}, "provider.require_parameters"),
        ({"sort": "speed"}, "provider.sort"),
        ({"sort": {"by": "speed"}}, "provider.sort.by"),
        ({"sort": {"by": "price", "partition": "none"}}, "provider.sort.partition"),
        ({"max_price": 5}, "provider.max_price"),
        ({"max_price": {"prompt": -1}}, "provider.max_price.prompt"),
        ({"max_price": {"prompt": "NaN"}}, "provider.max_price.prompt"),
        ({"max_price": {"prompt": True}}, "provider.max_price.prompt"),
        ({"max_price": {"prompt": [1]}}, "provider.max_price.prompt"),
        ({"max_price": {"promt": 1}}, "provider.max_price.promt"),
        *[({"zdr": zdr}, "provider.zdr") for zdr in (True, "true", [], 1, 0, "")],
        *[
            ({"enforce_distillable_text": flag}, "provider.enforce_distillable_text")
            for flag in (True, "yes", {})
        ],
        *[
            ({"data_collection": choice}, "provider.data_collection")
            for choice in ("deny", "Deny", ["deny"], "", False)
        ],
        *[({"quantizations": choice}, "provider.quantizations") for choice in (["fp8"], "fp8", {})],
        *[({name: ["openai"]}, f"provider.{name}") for name in ("onyl", "Only", "excluded")],
    ],
)
def test_a_preference_that_cannot_be_honoured_is_refused(value: Any, named: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        preferences.provider(value)

    assert refusal.value.metadata["param"] == named
    assert named in refusal.value.message


def test_preferences_are_read_without_case() -> None:
    found = preferences.provider({"order": [" OpenAI "], "only": ["A"], "allow_fallbacks": None})

    assert found == ProviderPreferences(order=("openai",), only=("a",))


@pytest.mark.parametrize("ceiling", [1, 1.5, "1.5", 0])
def test_a_price_ceiling_is_exact(ceiling: Any) -> None:
    found = preferences.provider({"max_price": {"completion": ceiling}})

    assert found.max_completion_price == Decimal(str(ceiling))


SILENT: list[Any] = [None, {}, {"zdr": False, "data_collection": "allow", "quantizations": []}]
SILENT += [{"preferred_min_throughput": 50, "preferred_max_latency": {"p90": 3}}]
SILENT += [dict.fromkeys(("order", "only", "sort", "zdr", "data_collection", "quantizations"))]
SILENT += [{"max_price": {"prompt": None, "request": None}}]


@pytest.mark.parametrize("value", SILENT)
def test_preferences_that_say_nothing_change_nothing(value: Any) -> None:
    assert preferences.provider(value) == ProviderPreferences()
