"""
What pydantic found, in words for people.

A message says what is wrong and what was expected there, in the language of the
file.  Of a union only the branch that was meant is spoken of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pydantic.alias_generators import to_camel, to_snake
from pydantic_core import ErrorDetails

from .document import Node, Path, find
from .findings import Findings, quote, refusal
from .pluggable import others
from .schema import jsonSchema
from .section import TAG

__all__ = ["Options", "tell"]

_KINDS = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_SHAPES = {"integer": "a whole number", "number": "a number"}
_UNITS = (
    (re.compile(r"'\d+(\.\d+)? ?(ms|s|sec|m|min|h|d)'"), "durations are seconds, without a unit"),
    (re.compile(r"'\d+ ?[kmg](i?b)?'", re.IGNORECASE), "sizes are bytes, without a unit"),
)
#: Ports, as other programs have them written.
_RANGE = re.compile(r"'(\d+) ?- ?(\d+)'")
_SERIES = re.compile(r"'\d+(?: ?, ?\d+)+'")
_QUOTED_NUMBER = re.compile(r"'\d+'")
#: What was to be a key with its value, and is one word for YAML.
_JOINED = re.compile(r"'[^\s:]+:\S+'")
_DIGITS = re.compile(r"[0-9]")
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


class Options:
    """
    Which options exist where, according to the schema.
    """

    def __init__(self) -> None:
        self._schema = jsonSchema()

    def at(self, loc: Iterable[str | int]) -> dict[str, Any]:
        """
        The options of the mapping at a place.

        @param loc: A path of pydantic's, tags of unions included.
        @return: What the schema says of each, by its name; empty when the place
            is no mapping with fixed options.
        """
        here = self._schema
        for part in loc:
            here = self._step(here, part)
        options: dict[str, Any] = self._followed(here).get("properties", {})
        return options

    def demanded(self, loc: Iterable[str | int]) -> list[str]:
        """
        Which of the options of the mapping at a place have to be given.

        @param loc: As for L{at}.
        """
        here = self._schema
        for part in loc:
            here = self._step(here, part)
        demanded: list[str] = self._followed(here).get("required", [])
        return demanded

    def besides(self, loc: tuple[str | int, ...]) -> list[str]:
        """
        Which numbers may stand at a place in place of a word.

        @param loc: As for L{at}; of the words in a union told apart by kind.
        @return: In words.
        """
        if not loc or loc[-1] != f"{TAG}text":
            return []
        here = self._schema
        for part in loc[:-1]:
            here = self._step(here, part)
        branches = map(self._followed, self._followed(here).get("oneOf", []))
        kinds = dict.fromkeys(branch.get("type") for branch in branches)
        return [_SHAPES[kind] for kind in kinds if kind in _SHAPES]

    def _followed(self, here: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in here:
            here = self._schema["$defs"][here["$ref"].rpartition("/")[2]]
        return here

    def _step(self, here: dict[str, Any], part: str | int) -> dict[str, Any]:
        here = self._followed(here)
        if isinstance(part, int):
            found = here.get("items", {})
        elif part.startswith(TAG):
            found = self._branch(here.get("oneOf", []), part.removeprefix(TAG))
        else:
            found = here.get("properties", {}).get(to_snake(part), here.get("additionalProperties") or {})
        return found if isinstance(found, dict) else {}

    def _branch(self, branches: list[dict[str, Any]], tag: str) -> dict[str, Any]:
        """
        The branch of a union that a tag means.
        """
        whole = [self._followed(branch) for branch in branches]
        if tag == "list":
            return next((branch for branch in whole if branch.get("type") == "array"), {})
        mappings = [branch for branch in whole if branch.get("type") == "object"]
        for branch in mappings:
            options = branch.get("properties", {})
            if any(options.get(key, {}).get("const") == tag for key in ("type", "mode")):
                return branch
            if {"unix": "unix", "address": "host", "source": "source"}.get(tag) in options:
                return branch
        return mappings[0] if len(mappings) == 1 else {}


def _or(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _near(word: str, allowed: list[str]) -> list[str]:
    """
    The one that was probably meant, if any.  A number is not mistyped: who writes C{http/2} does not mean
    C{http/1.1}, though hardly a letter differs.
    """
    digits = _DIGITS.findall(word)
    alike = [each for each in allowed if not digits or _DIGITS.findall(each) == digits]
    return get_close_matches(word, alike, n=1, cutoff=0.6)


def _unknown(key: str, siblings: Any, options: dict[str, Any]) -> str:
    """
    A key that no option has.
    """
    twin = next((form for form in (to_snake(key), to_camel(key)) if form != key and form in siblings), None)
    if twin is not None and to_snake(key) in options:
        return f"is given twice: {twin} is the same option"
    near = get_close_matches(to_snake(key).replace("-", "_"), options, n=1, cutoff=0.6)
    if near:
        return f"is not an option here; did you mean {near[0]}?"
    return (
        f"is not an option here; there are {', '.join(sorted(options))}"
        if options
        else "is not an option here"
    )


def _missing(key: str, options: dict[str, Any]) -> str:
    """
    An option that has to be given.
    """
    meaning = str(options.get(key, {}).get("description", "")).partition(". ")[0].rstrip(".").replace("`", "")
    return f"needs {key}" + (f" ({meaning[:1].lower()}{meaning[1:]})" if meaning else "")


def _said(error: ErrorDetails, node: Node, path: Path, options: Options) -> str:
    """
    The message for a value that was refused.

    @param node: The value.
    @param path: Where it stands.
    """
    kind, context, found = error["type"], error.get("ctx", {}), quote(node, path)
    if kind in _KINDS:
        demanded = options.demanded(error["loc"]) if _KINDS[kind] == "a mapping" else []
        parts = f" with {' and '.join(demanded)}" if demanded else ""
        unit = next((f": {words}" for unit, words in _UNITS if unit.fullmatch(found)), "")
        hint = unit if "number" in _KINDS[kind] else ""
        if _KINDS[kind] == "a mapping" and _JOINED.fullmatch(found):
            hint = ": a space after the colon is missing"
        return f"has to be {_KINDS[kind]}{parts}, not {found}{hint}"
    if kind in _BOUNDS:
        phrase, key = _BOUNDS[kind]
        bound = context[key]
        bound = int(bound) if isinstance(bound, float) and bound.is_integer() else bound
        return f"has to be {phrase} {bound}, not {found}"
    if kind == "literal_error":
        allowed = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
        near = _near(found.strip("'").lower(), allowed) if "'" in found else []
        if near:
            return f"has to be {_or(allowed)}, not {found}; did you mean {near[0]}?"
        return f"has to be {_or([*allowed, *options.besides(error['loc'])])}, not {found}"
    if kind == "value_error":
        isLarge = isinstance(error["input"], (dict, list))
        return str(context["error"]) if isLarge else refusal(node, path, str(context["error"]))
    if kind == "too_short":
        return "is empty: at least one is needed"
    if kind == "string_too_short":
        return "is empty: text was expected"
    if kind == "finite_number":
        return f"has to be a finite number, not {found}"
    if kind in ("shape", "kind", "union_tag_invalid", "union_tag_not_found"):
        return f"{error['msg']}, not {found}{_ports(found) if 'port number' in error['msg'] else ''}"
    return f"cannot be {found}"


def _ports(found: str) -> str:
    """
    How to write what are ports elsewhere.

    @param found: The value, quoted.
    """
    both = _RANGE.fullmatch(found)
    if both is not None:
        return f": write {{from: {both[1]}, to: {both[2]}}}"
    if _SERIES.fullmatch(found):
        return f": write [{', '.join(re.findall('[0-9]+', found))}]"
    return ": write it without quotes" if _QUOTED_NUMBER.fullmatch(found) else ""


def tell(errors: Iterable[ErrorDetails], findings: Findings) -> None:
    """
    Add what pydantic found to the findings.

    @param errors: From C{ValidationError.errors}.
    @param findings: Where they are added.
    """
    options = Options()
    for error in errors:
        loc = error["loc"]
        path: Path = tuple(part for part in loc if not (isinstance(part, str) and part.startswith(TAG)))
        kind = error["type"]
        if kind == "value_error" and len(path) > 1 and path[-1] == "[key]":
            findings.refuse(path[:-1], str(error["ctx"]["error"]), atKey=True)
            continue
        if kind == "missing":
            parent, key = path[:-1], str(path[-1])
            findings.add(parent, _missing(key, options.at(loc[:-1])))
            continue
        node, _ = find(findings.root, path)
        if kind == "extra_forbidden":
            siblings = find(findings.root, path[:-1])[0].value
            findings.surplus.add(path)
            findings.add(path, _unknown(str(path[-1]), siblings, options.at(loc[:-1])), atKey=True)
        elif not node.isReported:
            _refused(error, path, findings, options)


def _refused(error: ErrorDetails, path: Path, findings: Findings, options: Options) -> None:
    """
    A value that is not what was expected, or a mapping without the key that
    says what it is.
    """
    node, _ = find(findings.root, path)
    if error["type"] in ("kind", "union_tag_invalid") and isinstance(node.value, dict):
        key, _, expected = error["msg"].partition(": ")
        child = node.value.get(key)
        if child is None:
            findings.add(path, f"needs {key} ({expected.removesuffix(' was expected')})")
        elif not child.isReported:
            more = others("action") if path[-1:] == ("action",) and key == "type" else ""
            findings.add((*path, key), f"{expected}, not {quote(child, (*path, key))}{more}")
        return
    message = _said(error, node, path, options)
    if error["type"] == "kind":
        key, _, _ = error["msg"].partition(": ")
        message = f"has to be a mapping with {key}, not {quote(node, path)}"
    findings.add(path, message)
