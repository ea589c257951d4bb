"""
Dataclasses that are compiled when the first of their values is made.

C{dataclasses.dataclass} writes the source of six methods for a frozen class and has
each compiled, at import: sixteen times as long as a class takes without it.  The
hundred and seventy of them that a proxy knows before its first port is bound were a
quarter of its start, and of most of them it never makes a value.  Here the decorator
makes the class, with its slots, and leaves the rest to the library for the moment that
somebody asks for it::

    from ..values import dataclass

    @dataclass(frozen=True, slots=True)
    class Verdict: ...

What that comes to is what the library itself makes, method by method; C{field},
C{fields}, C{replace} and the others are the library's.  To a type checker this I{is}
C{dataclasses.dataclass}.

Whoever makes a value calls C{__init__}, or C{__setstate__} where it comes from a pickle
or a copy, so that these stand for the other methods too.  C{object.__new__} alone does
not count as making one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from inspect import get_annotations
from threading import RLock
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

#: What is asked of a class before there is a value of it, or in order to have one.
_ASKED = (
    "__init__",
    "__setstate__",
    "__match_args__",
    "__dataclass_fields__",
    "__dataclass_params__",
)

#: A class is compiled once, in whatever thread it is needed; its bases with it.
_lock = RLock()


class _Later:
    """
    What stands for an attribute of a class that is not compiled yet.
    """

    def __init__(self, compile: Callable[[], None], name: str) -> None:
        self._compile = compile
        self._name = name

    def __get__(self, value: object, kind: type | None = None) -> Any:
        self._compile()
        return getattr(kind if value is None else value, self._name)


class _Compiler:
    """
    Of one class.
    """

    def __init__(self, written: type, options: dict[str, Any]) -> None:
        """
        @param written: The class as it stands in the source.
        @param options: Of the decorator, besides slots.
        """
        self._written: type | None = written
        self._options = options
        self.kind = self._slotted(written)

    def _slotted(self, written: type) -> type:
        """
        The class that all will know, without the methods that are still to come.
        """
        annotations = get_annotations(written)
        own = [name for name, text in annotations.items() if not str(text).startswith("ClassVar")]
        namespace = {name: value for name, value in vars(written).items() if name not in own}
        for name in ("__dict__", "__weakref__"):
            namespace.pop(name, None)
        inherited = {name for base in written.__mro__[1:-1] for name in getattr(base, "__slots__", ())}
        namespace["__slots__"] = tuple(name for name in own if name not in inherited)
        for name in _ASKED:
            namespace[name] = _Later(self.compile, name)
        kind: type = type(written)(written.__name__, written.__bases__, namespace)
        kind.__qualname__ = written.__qualname__
        return kind

    def compile(self) -> None:
        """
        Have the library make what is missing.
        """
        with _lock:
            written = self._written
            if written is None:
                return
            before = dict(vars(written))
            known: type = dataclasses.dataclass(slots=True, **self._options)(written)
            slots = (*known.__slots__, "__slots__")  # type: ignore[attr-defined]
            for name, value in vars(known).items():
                if value is not before.get(name, self) and name not in slots:
                    setattr(self.kind, name, value)
            for name in _ASKED:
                if isinstance(vars(self.kind).get(name), _Later):
                    delattr(self.kind, name)
            self._written = None


def _dataclass(*, slots: bool, **options: Any) -> Callable[[type], type]:
    """
    As C{dataclasses.dataclass}, later.

    @param slots: True: without them there is nothing here that the library would not do as well.
    @param options: What else is asked of the library.
    """
    assert slots

    def made(written: type) -> type:
        return _Compiler(written, options).kind

    return made


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass
