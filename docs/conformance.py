"""
The tables of conformance.rst, as reStructuredText.

They are read from C{tests/conformance.py} by its path, not imported by its name: another package
that is installed may be called C{tests} too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from typing import Any

from smartproxy_tw.config.reference import shownDefault
from smartproxy_tw.config.schema import jsonSchema

__all__ = ["mishaps", "options"]

_HERE = Path(__file__).parent
_TABLES = _HERE.parent / "tests" / "conformance.py"

#: What the root of the schema is called: it has no name there.
_ROOT = "The whole file"


def _table(widths: str, *rows: tuple[str, ...]) -> Iterator[str]:
    """
    @param rows: The first has the headings.
    """
    yield ".. list-table::"
    yield f"   :widths: {widths}"
    yield "   :header-rows: 1"
    yield ""
    for row in rows:
        for number, text in enumerate(row):
            yield f"   {'-' if number else '* -'} {text}".replace("   - ", "     - ", 1)
    yield ""


def _code(text: str) -> str:
    return f"``{text}``" if text else ""


def _test(name: str) -> str:
    return _code(name.removeprefix("tests."))


def options() -> str:
    """
    @return: For each mapping a section with its options: name, default, test.
    """
    effects: dict[str, str] = run_path(str(_TABLES))["EFFECTS"]
    whole = jsonSchema()
    mappings: dict[str, dict[str, Any]] = {"File": whole, **whole["$defs"]}
    lines: list[str] = []
    for name, mapping in mappings.items():
        if "properties" not in mapping:
            continue
        title = _ROOT if mapping is whole else name
        lines += [title, "~" * len(title), ""]
        rows = [
            (
                _code(option),
                "needed" if option in mapping.get("required", ()) else _code(shownDefault(described)),
                _test(effects[f"{name}.{option}"]),
            )
            for option, described in mapping["properties"].items()
        ]
        lines += _table("20 20 60", ("Option", "Default", "Test"), *rows)
    return "\n".join(lines)


def mishaps() -> str:
    """
    @return: A table: what went wrong, and the test.
    """
    told: tuple[tuple[str, str], ...] = run_path(str(_TABLES))["MISHAPS"]
    rows = [(str(number), text, _test(test)) for number, (text, test) in enumerate(told, 1)]
    return "\n".join(_table("5 50 45", ("", "What went wrong", "Test"), *rows))
