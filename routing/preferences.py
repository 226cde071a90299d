"""What a request may ask of the router: the auto-router plugin and provider preferences."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from routing import fields
from routing.engine import patterns
from routing.engine.selection import TIERS
from routing.errors import InvalidRequest

PLUGIN_IDS = ("auto-router", "auto-beta-router")
PLUGIN_KEYS = (
    "id",
    "enabled",
    "allowed_models",
    "excluded_models",
    "cost_quality_tradeoff",
    "cost_tier",
    "pin_model",
)
SORTS = ("price", "throughput", "latency")
PRICED = ("prompt", "completion", "request")
MOST_PROVIDERS = 100
HIGHEST_PRICE, MOST_DECIMALS = 1_000_000, 20
PROVIDER_KEYS = (
    *("order", "only", "ignore", "allow_fallbacks", "require_parameters", "sort", "max_price"),
    *("zdr", "enforce_distillable_text", "data_collection", "quantizations"),
    # They would only tune a choice that is not made here: nothing is promised by them.
    *("preferred_min_throughput", "preferred_max_latency"),
)


@dataclass(frozen=True, slots=True)
class PluginRequest:
    """The auto-router plugin of one request; None means that the request does not say."""

    enabled: bool = True
    allowed_models: tuple[str, ...] | None = None
    excluded_models: tuple[str, ...] | None = None
    tradeoff: int | None = None
    pin_model: bool = False


@dataclass(frozen=True, slots=True)
class ProviderPreferences:
    """Which endpoints a request accepts, and in which order."""

    order: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    allow_fallbacks: bool = True
    require_parameters: bool = False
    sort: str = ""
    max_prompt_price: Decimal | None = None
    max_completion_price: Decimal | None = None
    max_request_price: Decimal | None = None

    @property
    def by_speed(self) -> bool:
        return self.sort in ("latency", "throughput")

    @property
    def has_ceiling(self) -> bool:
        ceilings = (self.max_prompt_price, self.max_completion_price, self.max_request_price)
        return ceilings != (None, None, None)


# What most requests say, made once.
NO_PLUGIN, NO_PREFERENCES = PluginRequest(), ProviderPreferences()


def plugin(plugins: Any) -> PluginRequest:
    """The auto-router entry of `plugins`, or the defaults where there is none."""
    if plugins is None:
        return NO_PLUGIN
    if not isinstance(plugins, list):
        fields.refuse("plugins", plugins, "an array of plugin objects")
    found = [
        _plugin(f"plugins[{index}]", entry)
        for index, entry in enumerate(plugins)
        if not _is_another_switched_off(entry)
    ]
    if len(found) > 1:
        raise InvalidRequest(
            "plugins names the auto-router twice; send one entry.", param="plugins"
        )
    return found[0] if found else NO_PLUGIN


def _is_another_switched_off(entry: Any) -> bool:
    """Whether it is a plugin that we do not have, which the request does not want."""
    if not isinstance(entry, dict) or entry.get("enabled") is not False:
        return False
    return isinstance(entry.get("id"), str) and entry["id"] not in PLUGIN_IDS


def _plugin(field: str, entry: Any) -> PluginRequest:
    fields.mapping(field, entry)
    fields.one_of(f"{field}.id", entry.get("id"), PLUGIN_IDS)
    fields.known_keys(field, entry, PLUGIN_KEYS)
    return PluginRequest(
        enabled=fields.boolean(f"{field}.enabled", entry.get("enabled", True)),
        allowed_models=_patterns(field, "allowed_models", entry),
        excluded_models=_patterns(field, "excluded_models", entry),
        tradeoff=_tradeoff(field, entry),
        pin_model=fields.boolean(f"{field}.pin_model", entry.get("pin_model", False)),
    )


def _patterns(field: str, name: str, entry: dict[str, Any]) -> tuple[str, ...] | None:
    if name not in entry:
        return None
    value = entry[name]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        fields.refuse(f"{field}.{name}", value, "an array of patterns such as anthropic/*")
    if problems := patterns.problems(value):
        raise InvalidRequest(f"{field}.{name}: {problems[0]}", param=f"{field}.{name}")
    return tuple(value)


def _tradeoff(field: str, entry: dict[str, Any]) -> int | None:
    tier = tradeoff = None
    if "cost_quality_tradeoff" in entry:
        name = f"{field}.cost_quality_tradeoff"
        tradeoff = fields.integer(name, entry["cost_quality_tradeoff"], 0, 10)
    if "cost_tier" in entry:
        tier = TIERS[fields.one_of(f"{field}.cost_tier", entry["cost_tier"], TIERS)]
    return tier if tier is not None else tradeoff


def provider(value: Any) -> ProviderPreferences:
    """The `provider` object; null counts as absent, and a restriction is honoured or refused."""
    if value is None:
        return NO_PREFERENCES
    fields.mapping("provider", value)
    fields.known_keys("provider", value, PROVIDER_KEYS)
    _refuse_unknowable(value)
    prices = _max_price(value.get("max_price"))
    return ProviderPreferences(
        order=_names(value, "order"),
        only=_names(value, "only"),
        ignore=_names(value, "ignore"),
        allow_fallbacks=_flag(value, "allow_fallbacks", default=True),
        require_parameters=_flag(value, "require_parameters", default=False),
        sort=_sort(value.get("sort")),
        max_prompt_price=prices.get("prompt"),
        max_completion_price=prices.get("completion"),
        max_request_price=prices.get("request"),
    )


def _refuse_unknowable(value: dict[str, Any]) -> None:
    """Restrictions that we have no facts to honour; ignoring one would break a promise."""
    for name in ("zdr", "enforce_distillable_text"):
        if _flag(value, name, default=False):
            raise _unknowable(name, "how providers treat data")
    if (collection := value.get("data_collection")) is not None:
        name = "data_collection"
        if fields.one_of(f"provider.{name}", collection, ("allow", "deny")) == "deny":
            raise _unknowable(name, "how providers treat data")
    if _names(value, "quantizations"):
        raise _unknowable("quantizations", "how endpoints are quantized")


def _unknowable(name: str, what: str) -> InvalidRequest:
    return InvalidRequest(
        f"provider.{name} cannot be honoured: the catalogue does not know {what}. "
        "Choose providers with provider.only instead.",
        param=f"provider.{name}",
    )


def _names(value: dict[str, Any], name: str) -> tuple[str, ...]:
    names = value.get(name)
    if names is None:
        return ()
    found = fields.texts(f"provider.{name}", names, 100, MOST_PROVIDERS)
    return tuple(entry.strip().lower() for entry in found)


def _flag(value: dict[str, Any], name: str, *, default: bool) -> bool:
    flag = value.get(name)
    return default if flag is None else fields.boolean(f"provider.{name}", flag)


def _sort(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, dict):
        return fields.one_of("provider.sort", value, SORTS)
    if value.get("partition") == "none":
        accepted = "model; endpoints are sorted within the model that was chosen"
        fields.refuse("provider.sort.partition", "none", accepted)
    return fields.one_of("provider.sort.by", value.get("by"), SORTS)


def _max_price(value: Any) -> dict[str, Decimal]:
    """Ceilings in USD: per million tokens for prompt and completion, else per unit."""
    if value is None:
        return {}
    fields.mapping("provider.max_price", value)
    fields.known_keys("provider.max_price", value, PRICED)
    given = {name: ceiling for name, ceiling in value.items() if ceiling is not None}
    for name, ceiling in given.items():
        _check_price(f"provider.max_price.{name}", ceiling)
    return {name: Decimal(str(ceiling)) for name, ceiling in given.items()}


def _check_price(field: str, value: Any) -> None:
    try:
        price = Decimal(str(value))
        valid = type(value) is not bool and 0 <= price <= HIGHEST_PRICE
    except ArithmeticError:
        valid = False
    # An exponent is short to send and long to write out.
    if not valid or price.as_tuple().exponent < -MOST_DECIMALS:
        fields.refuse(field, value, f"a price in USD from 0 to {HIGHEST_PRICE}")
