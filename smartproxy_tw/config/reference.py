"""
The reference of all options, generated from the schema, as reStructuredText.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .schema import jsonSchema

__all__ = ["render", "shownDefault"]

_OPENING = """\
.. This page is generated from the schema.

Configuration reference
=======================

A configuration is a YAML file; TOML and JSON are read likewise, by the ending
of the name. Options are written in snake_case; their camelCase forms are
accepted too. An option that does not exist is a mistake, never ignored, and
``smartproxy check FILE`` tells all mistakes at once.

In every text ``${NAME}`` is replaced by the environment variable, and
``${NAME:-default}`` likewise with a default; ``$${`` stands for ``${``. Where a
number or ``true`` is expected a variable may stand for it. Relative paths count
from the directory of the file that they stand in.

YAML is read as YAML 1.2: ``on``, ``no`` and ``22:22`` are texts. Anchors,
aliases and merge keys (``<<``) work, and a key given twice is a mistake.
"""


def _inline(text: str) -> str:
    """
    Single backticks are how descriptions mark what is to be typed.
    """
    return re.sub(r"`([^`]+)`", r"``\1``", text)


def shownDefault(option: dict[str, Any]) -> str:
    """
    @param option: Of the JSON Schema.
    @return: What it is when it is left out, as a file would have it; empty: nothing.
    """
    default = option.get("default")
    if default in (None, [], {}, ""):
        return ""
    if isinstance(default, bool):
        return "true" if default else "false"
    if isinstance(default, list):
        return ", ".join(default)
    return str(int(default) if isinstance(default, float) and default.is_integer() else default)


#: Mappings that are taken in several places, and what they are called there.
_SHARED = {
    "ActiveCheck": "An active check",
    "Balancing": "Load balancing",
    "Compress": "Compression of answers",
    "Cors": "Use by other origins",
    "ExternalAccount": "An external account",
    "KeyPair": "Certificate files",
    "Headers": "Changes of header fields",
    "Health": "Health of targets",
    "PageForm": "One form of an error page",
    "PassiveCheck": "A passive check",
    "PortRange": "A range of ports",
    "ProxyHeader": "A header of the PROXY protocol",
    "Rewrite": "Rewriting of requests",
    "RouteLimits": "Limits of a route",
    "RouteTimeouts": "Timeouts of a route",
    "Security": "Security of a route",
    "SecurityHeaders": "Security headers",
    "Service": "Targets by SRV records",
    "Sticky": "A sticky cookie",
    "Target": "A target, by host and port",
    "SourceTarget": "Targets by a plug-in",
    "TargetMatch": "Which requests a target is for",
    "TargetTLS": "TLS to one target",
    "UnixTarget": "A target, by unix socket",
    "WebSockets": "WebSockets of a route",
}

#: As what their own mappings are told, where they have some.
_PATHS = {
    "Compress": "compress",
    "Cors": "cors",
    "Headers": "headers",
    "Rewrite": "rewrite",
    "RouteTimeouts": "timeouts",
    "WebSockets": "websocket",
    "RouteLimits": "limits",
    "Security": "security",
    "SecurityHeaders": "security_headers",
}


class _Writer:
    """
    Writes the sections of one schema.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._told: set[str] = set()
        self._waiting: list[tuple[str, dict[str, Any]]] = [("", schema)]

    def sections(self) -> Iterator[str]:
        """
        Each section: the root first, each mapping before those inside of it,
        what is shared last.
        """
        yield from self._rest()
        for name, title in _SHARED.items():
            yield "\n".join(self._section(title, _PATHS.get(name, ""), self._schema["$defs"][name]))
            yield from self._rest()

    def _rest(self) -> Iterator[str]:
        while self._waiting:
            path, schema = self._waiting.pop(0)
            later, self._waiting = self._waiting, []
            yield "\n".join(self._section(self._heading(path, schema), path, schema))
            self._waiting += later

    def _section(self, title: str, path: str, schema: dict[str, Any]) -> Iterator[str]:
        yield title
        yield "-" * len(title)
        yield ""
        yield _inline(schema.get("description", ""))
        yield ""
        required = schema.get("required", [])
        for name, option in schema["properties"].items():
            below = f"{path}.{name}" if path else name
            yield f"``{name}`` : {self._kind(option, below)}{self._default(option, name in required)}"
            yield f"    {_inline(option.get('description', ''))}"
            yield ""

    def _heading(self, path: str, schema: dict[str, Any]) -> str:
        if not path:
            return "The whole file"
        for key in ("type", "mode"):
            word = schema["properties"].get(key, {}).get("const")
            if word is not None:
                return f"{path}, {key}: {word}"
        return path

    def _default(self, option: dict[str, Any], isRequired: bool) -> str:
        if isRequired:
            return ", needed"
        shown = shownDefault(option)
        return shown and f", default ``{shown}``"

    def _kind(self, option: dict[str, Any], path: str) -> str:
        """
        What a value of an option can be, in words.
        """
        if "$ref" in option:
            return self._mapping(option["$ref"].rpartition("/")[2], path)
        if "oneOf" in option:
            return self._union(option["oneOf"], path)
        if "const" in option:
            return f"``{option['const']}``"
        if "enum" in option:
            return " or ".join(f"``{word}``" for word in option["enum"])
        kind = option.get("type")
        if kind == "array":
            return f"list of ({self._kind(option['items'], path)})"
        if kind == "object" and option["additionalProperties"] is True:
            return "mapping"
        if kind == "object":
            return f"mapping from names to ({self._kind(option['additionalProperties'], path + '.NAME')})"
        if kind == "boolean":
            return "``true`` or ``false``"
        if kind in ("integer", "number"):
            return ("whole number" if kind == "integer" else "number") + self._bounds(option)
        return "text"

    def _union(self, branches: list[dict[str, Any]], path: str) -> str:
        """
        One of several kinds; often one of them is a list of the others.
        """
        single = [branch for branch in branches if branch.get("type") != "array"]
        text = " or ".join(dict.fromkeys(self._kind(branch, path) for branch in single))
        for branch in branches:
            if branch.get("type") == "array":
                items = self._kind(branch["items"], path)
                text += ", or a list of these" if items == text else f" or list of ({items})"
        return text

    def _bounds(self, option: dict[str, Any]) -> str:
        low, above, high = (option.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
        if low is not None and high is not None:
            return f" from {low} to {high}"
        if above is not None and high is not None:
            return f" above {above:g}, up to {high:g}"
        return ""

    def _mapping(self, name: str, path: str) -> str:
        """
        A mapping with options of its own gets a section of its own, once.
        """
        if name in _SHARED:
            return f"mapping (`{_SHARED[name]}`_)"
        schema = self._schema["$defs"][name]
        if name not in self._told:
            self._told.add(name)
            self._waiting.append((path, schema))
        return f"mapping (`{self._heading(path, schema)}`_)"


def render() -> str:
    """
    Write the reference.

    @return: reStructuredText: a title, an opening, and a section for each
        mapping with its options: type, bounds, default, meaning.
    """
    return "\n".join([_OPENING, *_Writer(jsonSchema()).sections()])
