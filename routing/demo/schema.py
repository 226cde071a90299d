"""The smallest value that fits a JSON schema."""

import math
from typing import Any, TypeGuard

from routing.demo.errors import ProviderError

MAX_VALUES = 10_000
MAX_DEPTH = 40
COMPOSING = ("$ref", "anyOf", "oneOf", "allOf")

FORMATS = {
    "date": "2025-01-01",
    "date-time": "2025-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "demo@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "127.0.0.1",
}


def minimal_instance(schema: Any) -> Any:
    """Build required properties with values of the right type, and nothing that is optional.

    Reads type, enum, const, default, properties, required, items, bounds, anyOf, oneOf, allOf
    and local references; `pattern`, `not` and conditions are beyond it. Raises ProviderError
    400 where a schema refers to itself without end.
    """
    return Builder(schema).value(schema, depth=0)


class Builder:
    """Builds one instance; counts its values, since a schema of a few bytes may ask for many."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.values = 0

    def value(self, schema: Any, depth: int) -> Any:
        self.values += 1
        if depth > MAX_DEPTH or self.values > MAX_VALUES:
            raise ProviderError(400, "The JSON schema has no small instance.")
        schema = self.resolved(schema)
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return schema["enum"][0]
        return schema["default"] if "default" in schema else self.typed(schema, depth)

    def typed(self, schema: dict[str, Any], depth: int) -> Any:
        kind = kind_of(schema)
        if kind == "object":
            properties = as_dict(schema.get("properties"))
            names = [name for name in as_list(schema.get("required")) if isinstance(name, str)]
            return {name: self.value(properties.get(name), depth + 1) for name in names}
        if kind == "array":
            count = as_count(schema.get("minItems"))
            return [self.value(schema.get("items"), depth + 1) for _ in range(count)]
        if kind == "string":
            return string_instance(schema)
        if kind in ("integer", "number"):
            return number_instance(schema, whole=kind == "integer")
        return False if kind == "boolean" else None

    def resolved(self, schema: Any) -> dict[str, Any]:
        """Follow references, and choose the first of several alternatives."""
        for _ in range(MAX_DEPTH):
            current = as_dict(schema)
            parts = self.parts(current)
            if not parts:
                return current
            own = {key: current[key] for key in current if key not in COMPOSING}
            schema = merged([own, *parts])
        raise ProviderError(400, "The JSON schema refers to itself without end.")

    def parts(self, schema: dict[str, Any]) -> list[Any]:
        reference = schema.get("$ref")
        return [
            *([self.referenced(reference)] if isinstance(reference, str) else []),
            *as_list(schema.get("anyOf"))[:1],
            *as_list(schema.get("oneOf"))[:1],
            *as_list(schema.get("allOf")),
        ]

    def referenced(self, reference: str) -> Any:
        target = self.root
        for step in reference.split("/")[1:]:
            target = as_dict(target).get(step.replace("~1", "/").replace("~0", "~"))
        return target


def merged(schemas: list[Any]) -> dict[str, Any]:
    """Join schemas that hold together; nested references stay for the next round."""
    result: dict[str, Any] = {}
    for schema in map(as_dict, schemas):
        properties = {**as_dict(result.get("properties")), **as_dict(schema.get("properties"))}
        required = [*as_list(result.get("required")), *as_list(schema.get("required"))]
        all_of = [*as_list(result.get("allOf")), *as_list(schema.get("allOf"))]
        result.update(schema, properties=properties, required=required)
        if all_of:
            result["allOf"] = all_of
    return result


def kind_of(schema: dict[str, Any]) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        return next((name for name in kind if name != "null"), "null")
    if kind is None:
        return "array" if "items" in schema else "object"
    return kind


def string_instance(schema: dict[str, Any]) -> str:
    text = FORMATS.get(str(schema.get("format")), "demo")
    text = text.ljust(min(as_count(schema.get("minLength")), MAX_VALUES), ".")
    return text[: as_count(schema["maxLength"])] if "maxLength" in schema else text


def number_instance(schema: dict[str, Any], *, whole: bool) -> int | float:
    """Choose 1, or the value nearest to it that the bounds allow."""
    value: int | float = 1
    if is_number(minimum := schema.get("minimum")):
        value = max(value, minimum)
    if is_number(above := schema.get("exclusiveMinimum")) and value <= above:
        value = above + 1
    if is_number(maximum := schema.get("maximum")):
        value = min(value, maximum)
    if is_number(below := schema.get("exclusiveMaximum")) and value >= below:
        value = below - 1
    # Below that, the quotient may be infinite.
    if is_number(step := schema.get("multipleOf")) and step > 1e-9:
        value = math.ceil(value / step) * step
    return math.ceil(value) if whole else value


def is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def as_count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
