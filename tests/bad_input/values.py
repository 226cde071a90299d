"""Sections 3.4 to 3.6: scalars, the auto-router plugin, and sessions."""

from typing import Any

from tests.bad_input.vectors import Vector, bad, good, shown

REQUEST = "invalid_request"
TOOL = {"type": "function", "function": {"name": "look_up"}}
LARGE = {"properties": {"x": "y" * 1_100_000}}
DEEP: dict[str, Any] = {}
for _ in range(100):
    DEEP = {"items": DEEP}


def tool(**function: Any) -> dict[str, Any]:
    return {"type": "function", "function": function}


def schema(value: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": value}


MODELS = [
    Vector("no model", 400, REQUEST, "No models provided", {"model": None}),
    *[bad("model", value) for value in (5, True, "", " ", "a\0b", "x" * 10_000, ["a"], {}, "a\nb")],
    *[bad("model", slug, f"{slug} is not a valid model ID") for slug in ("acme/fake-1.0", "a/b/c")],
    *[bad("model", slug, "is not a valid model ID") for slug in ("../../etc", "'; DROP--", "*")],
    *[bad("models", value) for value in (5, "a/one", {}, ["a"] * 33, [5], [None], ["a\0"])],
]
NUMBERS = [
    *[bad("stream", value) for value in ("true", "", 0, 1, [], {})],
    *[bad("temperature", value) for value in (-0.1, 2.1, "1", True, [], {}, 1e308)],
    *[bad("top_p", value) for value in (-1, 1.1, "0.5", False)],
    *[bad("top_k", value) for value in (1.5, -1, "5", True, 2**40)],
    *[bad(name, value) for name in ("frequency_penalty", "presence_penalty")
      for value in (-2.1, 2.1, "0")],
    *[bad(name, value) for name in ("max_tokens", "max_completion_tokens")
      for value in (0, -1, 1.5, "10", True, 2**63, 1e300, [])],
    *[bad("seed", value) for value in (1.5, 2**63, "1", True)],
    *[bad("n", value) for value in (0, 2, 100, "1", True, 1.5)],
    *[bad("top_logprobs", value) for value in (21, -1, 0.5, "1")],
    good("max_tokens", 1e9), good("temperature", None), good("max_tokens", 7.0),
]  # fmt: skip
OTHERS = [
    *[bad("stop", value) for value in (["a"] * 5, "", 5, [""], [5], {}, True)],
    *[bad("tools", value) for value in ([TOOL] * 129, {}, "x", [5], [{"type": "web"}], [{}])],
    *[bad("tools", [tool(**value)]) for value in ({}, {"name": ""}, {"name": 5}, {"name": "a\0"},
                                                 {"name": "a", "parameters": LARGE})],
    *[bad("tools", [tool(name="a", parameters=value)]) for value in (5, "x", [])],
    bad("tools", [tool(name="a", parameters=DEEP)], "nested"),
    *[bad("tool_choice", value) for value in ("always", 5, [], True, {}, "required")],
    *[bad("parallel_tool_calls", value) for value in ("yes", 1)],
    *[bad("response_format", value) for value in ("json", {"type": "xml"}, {}, [], 5)],
    *[bad("response_format", schema(value))
      for value in (None, 5, "x", LARGE | {"name": "x"}, {"schema": 5})],
    bad("response_format", schema({"name": "x", "schema": DEEP}), "nested"),
    *[bad("metadata", value) for value in ({str(n): "x" for n in range(17)}, {"k" * 65: "x"},
                                           {"k": "x" * 513}, {"k": 5}, {"k": None}, [], "x")],
    *[bad("logit_bias", value) for value in ([1], "x", 5, {"1": "x"}, {"1": 101}, {"1": None})],
    *[bad("user", value) for value in ("x" * 1024, 5, "a\0b", ["x"], {})],
    *[bad("provider", value) for value in ("openai", [], 5, {"order": "x"}, {"max_price": -1},
                                           {"onyl": ["x"]}, {"zdr": "true"})],
    *[bad("route", value) for value in (5, "nearest", {})],
    *[bad("transforms", value) for value in ("middle-out", {}, [5])],
    *[bad("reasoning", value) for value in ("high", 5, {"effort": "most"}, {"max_tokens": 0},
                                            {"enabled": "yes"})],
    *[bad("modalities", value) for value in (["smell"], "text", [5])],
    *[bad("logprobs", value) for value in ("yes", 1)],
]  # fmt: skip


def plugin(says: str, **fields: Any) -> Vector:
    vector = bad("plugins", [{"id": "auto-router"} | fields], says)
    return Vector(f"plugin {shown(fields)}", 400, REQUEST, says, vector.fields)


def routed(status: int, **fields: Any) -> Vector:
    """A good plugin, and what becomes of its request."""
    kind, says = ("not_found", "No models match") if status == 404 else ("", "")
    label = f"plugin {shown(fields)}"
    return Vector(label, status, kind, says, {"plugins": [{"id": "auto-router"} | fields]})


PLUGINS = [
    *[bad("plugins", value) for value in ({}, "x", 5, [None], [5], [{}], [{"id": 5}], [[]])],
    bad("plugins", [{"id": "auto-rooter"}], "plugins[0].id"),
    bad("plugins", [{"id": "auto-router"}] * 2, "twice"),
    bad("plugins", [{"id": "web"}], "plugins[0].id"),
    good("plugins", [{"id": "web", "enabled": False}]),
    *[plugin("enabled", enabled=value) for value in ("yes", 0, 1, None)],
    plugin("allowed_model", allowed_model=["anthropic/*"]),
    *[plugin("cost_quality_tradeoff", cost_quality_tradeoff=value)
      for value in (True, False, 7.5, 10.0001, -0.5, 11, -1, 1e308, 9007199254740993, "7", "", [7],
                    {}, None)],
    *[routed(200, cost_quality_tradeoff=value) for value in (0, 10, 7, 7.0, 1e1, -0.0)],
    *[plugin(name, **{name: value}) for name in ("allowed_models", "excluded_models")
      for value in (None, "anthropic/*", {}, [5], [None], [["a"]], ["a/*"] * 1025, ["a" * 1025],
                    ["a" * 1000] * 65 + ["a" * 537], [""], [" "], ["a b"], ["a\0"], ["a\n"])],
    *[routed(200, allowed_models=value)
      for value in ([], ["*"], ["*/*"], ["**"], ["anthropic/*"], ["*/claude-*"], ["ANTHROPIC/*"],
                    ["anthropic/claude-haiku-4.5"], ["nope/*", "anthropic/*"])],
    *[routed(404, allowed_models=[value])
      for value in ("nope/*", "(a+)+$", "[a-z]*", "?", "!openai/*", "{a,b}", "\u0430nthropic/*",
                    ".*", "anthropic/%", "anthropic", "*" * 1023 + "z")],
    routed(404, allowed_models=["*a*a*a*a*a*a*a*a*c"] * 1024),
    routed(404, excluded_models=["*"]),
]  # fmt: skip

SESSIONS = [
    *[good("session_id", value) for value in ("x" * 256, "", "🦊" * 256, "../../", "*", None)],
    *[bad("session_id", value) for value in ("x" * 257, "🦊" * 257, 5, [], {}, True)],
    bad("session_id", '{"a":1}' * 600),
    *[bad("session_id", value) for value in ("a\0b", "a\r\nb", "a\x7f", "\x1b[0m")],
    *[bad("prompt_cache_key", value) for value in ("x" * 257, 5, "a\0b")],
    *[Vector(f"{name}: {shown(value)}", 400, REQUEST, name.lower(), headers={name: value})
      for name in ("X-Session-Id", "X-Session-Affinity")
      for value in ("x" * 257, b"\xff\xfe", "sitzüng", "a\x01b", "a\tb")],
    Vector("two sessions", 200, fields={"session_id": "a"}, headers={"X-Session-Id": "b"}),
]  # fmt: skip

VALUES = MODELS + NUMBERS + OTHERS + PLUGINS + SESSIONS
