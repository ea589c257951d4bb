"""
The libraries that files are read with, imported for less, in a process that reads one and is gone.

They define much at import that is not needed for that: dataclasses with all their methods, expressions, and
some hundred dictionaries with types, of which each key is compiled.  Here the dataclasses are ours, which are
compiled when there is a value of them (L{smartproxy_tw.values}); expressions are compiled when they are used;
and dictionaries are dictionaries.  That takes a fifth of the time of reading a small file.

What was imported in this way stays so in the process: nothing but a file is to be read there.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from .. import values

__all__ = ["spare"]

#: Where descriptions of time zones are (PEP 615), which pydantic has Python look for when it is imported;
#: plug-ins whose settings have some ask for them.
_ZONES = "/usr/share/zoneinfo:/usr/lib/zoneinfo:/usr/share/lib/zoneinfo:/etc/zoneinfo"
#: What would look for plug-ins of pydantic, which nobody means here, and imports what reads the metadata of
#: all that is installed.
_LOADER = "pydantic.plugin._loader"

_compile, _dataclass = re.compile, dataclasses.dataclass


class _Pattern:
    """
    An expression that is compiled when it is used.
    """

    def __init__(self, pattern: Any, flags: Any = 0) -> None:
        self._written = pattern, flags

    def __getattr__(self, name: str) -> Any:
        pattern, flags = self._written
        found = getattr(_compile(pattern, flags), name)
        setattr(self, name, found)
        return found


class _Untyped(dict[str, Any]):
    """
    A C{TypedDict} that does not know its keys.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """
        They are not looked at.
        """


def _postponed(kind: type | None = None, /, **options: Any) -> Any:
    """
    C{dataclasses.dataclass}, later where that can be.
    """
    if kind is None and options.get("slots"):
        return values.postponed(**options)
    return _dataclass(**options) if kind is None else _dataclass(kind, **options)


@contextmanager
def _instead(module: ModuleType, name: str, other: Any) -> Iterator[None]:
    usual = getattr(module, name)
    setattr(module, name, other)
    try:
        yield
    finally:
        setattr(module, name, usual)


def spare(*, isYAML: bool) -> None:
    """
    Import what files are read with.

    @param isYAML: Whether that includes YAML.
    @raise Exception: What is installed is not as it is expected here.
    """
    loader = ModuleType(_LOADER)
    loader.get_plugins = tuple  # type: ignore[attr-defined]
    sys.modules.setdefault(_LOADER, loader)
    import typing_extensions

    with _instead(typing_extensions, "TypedDict", _Untyped), _instead(typing, "TypedDict", _Untyped):
        import pydantic_core.core_schema  # noqa: F401
    isTold = "PYTHONTZPATH" in os.environ
    os.environ.setdefault("PYTHONTZPATH", _ZONES)
    try:
        with _instead(dataclasses, "dataclass", _postponed):
            import pydantic.main
            import pydantic.types  # noqa: F401
    finally:
        if not isTold:
            # A file may name any variable.
            del os.environ["PYTHONTZPATH"]
    if isYAML:
        with _instead(re, "compile", _Pattern):
            import yaml  # noqa: F401
