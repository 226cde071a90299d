"""Which patterns and which tradeoff hold for a request, and where each came from."""

from dataclasses import dataclass
from typing import Any

from routing.engine.selection import DEFAULT_TRADEOFF
from routing.preferences import PluginRequest
from routing.snapshot import SavedSettings

REQUEST, SETTINGS, DEFAULT = "request", "settings", "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """A value with its source: the request, the saved settings, or the built-in default."""

    value: Any
    source: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What the auto router may choose for one request."""

    allowed: Setting
    excluded: Setting
    tradeoff: Setting
    pin_model: bool
    overrides_prevented: bool

    def receipt(self) -> dict[str, Any]:
        return {
            "tradeoff": {"value": self.tradeoff.value, "source": self.tradeoff.source},
            "allowed": {"patterns": list(self.allowed.value), "source": self.allowed.source},
            "excluded": {"patterns": list(self.excluded.value), "source": self.excluded.source},
            "overrides_prevented": self.overrides_prevented,
        }


def resolve(request: PluginRequest, saved: SavedSettings | None) -> Policy:
    """Field by field: the request beats the saved settings, which beat the defaults.

    Saved settings count only while the plugin is on. Where they prevent overrides they are final;
    otherwise `enabled: false` in a request means the defaults.
    """
    if saved is None or not saved.enabled:
        saved = None
    prevented = saved is not None and saved.prevent_overrides
    if prevented:
        request = PluginRequest()
    elif not request.enabled:
        request, saved = PluginRequest(), None
    return Policy(
        allowed=_first(request.allowed_models, saved and saved.allowed_models, ()),
        excluded=_first(request.excluded_models, saved and saved.excluded_models, ()),
        tradeoff=_first(request.tradeoff, saved and saved.tradeoff, DEFAULT_TRADEOFF),
        pin_model=request.pin_model,
        overrides_prevented=prevented,
    )


def _first(requested: Any, saved: Any, default: Any) -> Setting:
    if requested is not None:
        return Setting(requested, REQUEST)
    return Setting(default, DEFAULT) if saved is None else Setting(saved, SETTINGS)
