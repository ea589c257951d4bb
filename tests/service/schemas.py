"""
Whether a value is as a JSON Schema says, for what of that is in use here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

__all__ = ["objections"]

_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}

#: Whatever else is in a schema would go unseen.
_KNOWN = {
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "anyOf",
    "enum",
    "format",
    "minimum",
    "maximum",
}


def objections(schema: Mapping[str, Any], value: Any, whole: Mapping[str, Any], where: str = "") -> list[str]:
    """
    What is wrong with a value.

    @param whole: The description that references are looked up in.
    """
    return list(_objections(schema, value, whole, where or "it"))


def _objections(schema: Mapping[str, Any], value: Any, whole: Mapping[str, Any], where: str) -> Iterator[str]:
    if "$ref" in schema:
        found: Any = whole
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        yield from _objections(found, value, whole, where)
        return
    if unknown := set(schema) - _KNOWN:
        yield f"{where}: the schema has {unknown}"
    if "anyOf" in schema:
        if all(objections(each, value, whole, where) for each in schema["anyOf"]):
            yield f"{where}: {value!r} is none of those"
        return
    kind = schema.get("type")
    if kind is not None:
        isRight = isinstance(value, _KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))
        if not isRight:
            yield f"{where}: {value!r} is no {kind}"
            return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    if schema.get("format") == "date-time":
        datetime.fromisoformat(value)
    if isinstance(value, dict):
        yield from _members(schema, value, whole, where)
    if isinstance(value, list) and "items" in schema:
        for number, each in enumerate(value):
            yield from _objections(schema["items"], each, whole, f"{where}[{number}]")


def _members(
    schema: Mapping[str, Any], value: dict[str, Any], whole: Mapping[str, Any], where: str
) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where} has no {name}"
    for name, each in value.items():
        if name in properties:
            yield from _objections(properties[name], each, whole, f"{where}.{name}")
            continue
        other = schema.get("additionalProperties", True)
        if other is False:
            yield f"{where} has {name}, of which nothing is said"
        elif isinstance(other, dict):
            yield from _objections(other, each, whole, f"{where}.{name}")
