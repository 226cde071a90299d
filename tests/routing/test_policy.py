import pytest

from routing.policy import Setting, resolve
from routing.preferences import PluginRequest
from routing.snapshot import SavedSettings
from tests.routing.values import make_settings

SAVED = make_settings(allowed_models=("a/*",), excluded_models=("a/x",), tradeoff=3)
ASKED = PluginRequest(allowed_models=("b/*",), excluded_models=("b/x",), tradeoff=9, pin_model=True)


def test_nothing_said_and_nothing_saved_means_built_in_values() -> None:
    policy = resolve(PluginRequest(), None)

    assert policy.allowed == policy.excluded == Setting((), "default")
    assert policy.tradeoff == Setting(7, "default")
    assert (policy.pin_model, policy.overrides_prevented) == (False, False)


def test_saved_values_hold_where_the_request_says_nothing() -> None:
    policy = resolve(PluginRequest(), SAVED)

    assert policy.allowed == Setting(("a/*",), "settings")
    assert policy.excluded == Setting(("a/x",), "settings")
    assert policy.tradeoff == Setting(3, "settings")


def test_a_request_beats_every_saved_value() -> None:
    policy = resolve(ASKED, SAVED)

    assert policy.allowed == Setting(("b/*",), "request")
    assert policy.excluded == Setting(("b/x",), "request")
    assert policy.tradeoff == Setting(9, "request")
    assert policy.pin_model is True


@pytest.mark.parametrize(
    ("asked", "sources"),
    [
        (PluginRequest(allowed_models=("b/*",)), ("request", "settings", "settings")),
        (PluginRequest(excluded_models=()), ("settings", "request", "settings")),
        (PluginRequest(tradeoff=0), ("settings", "settings", "request")),
    ],
)
def test_each_field_is_overridden_by_itself(
    asked: PluginRequest, sources: tuple[str, str, str]
) -> None:
    policy = resolve(asked, SAVED)

    found = (policy.allowed.source, policy.excluded.source, policy.tradeoff.source)
    assert found == sources


@pytest.mark.parametrize("asked", [ASKED, PluginRequest(enabled=False), PluginRequest()])
def test_prevented_overrides_make_the_saved_values_final(asked: PluginRequest) -> None:
    saved = make_settings(allowed_models=("a/*",), tradeoff=3, prevent_overrides=True)

    policy = resolve(asked, saved)

    assert policy.allowed == Setting(("a/*",), "settings")
    assert policy.tradeoff == Setting(3, "settings")
    assert (policy.pin_model, policy.overrides_prevented) == (False, True)


@pytest.mark.parametrize("saved", [SAVED, None])
def test_disabled_for_a_request_means_built_in_values(saved: SavedSettings | None) -> None:
    policy = resolve(PluginRequest(enabled=False, allowed_models=("b/*",), tradeoff=1), saved)

    assert (policy.allowed, policy.tradeoff) == (Setting((), "default"), Setting(7, "default"))


@pytest.mark.parametrize("prevent", [True, False])
def test_saved_values_do_not_count_while_the_plugin_is_off(prevent: bool) -> None:
    saved = make_settings(enabled=False, tradeoff=3, prevent_overrides=prevent)

    policy = resolve(PluginRequest(allowed_models=("b/*",)), saved)

    assert policy.allowed == Setting(("b/*",), "request")
    assert policy.tradeoff == Setting(7, "default")
    assert policy.overrides_prevented is False


def test_the_receipt_says_where_each_value_came_from() -> None:
    assert resolve(PluginRequest(tradeoff=0), SAVED).receipt() == {
        "tradeoff": {"value": 0, "source": "request"},
        "allowed": {"patterns": ["a/*"], "source": "settings"},
        "excluded": {"patterns": ["a/x"], "source": "settings"},
        "overrides_prevented": False,
    }
