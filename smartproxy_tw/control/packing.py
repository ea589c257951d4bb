"""
Changes to bytes, and back: pickles, one after the other.

Each is a list of changes, or some routes, or the configuration that those before it
belong to, so that neither end has to be at it for long: ten thousand routes are more
than a megabyte and take a tenth of a second.  Both ends are processes of ours with the
same code.
"""

from __future__ import annotations

import copyreg
import pickle
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass, replace
from io import BytesIO
from operator import attrgetter
from typing import Any

from ..config.model import Config, Route
from ..routing.steps import Steps, finish
from ..values import dataclass
from .state import Change, UseTable

__all__ = ["packed", "packing", "unpacking"]

#: So many routes or changes are in one pickle: about a millisecond.
_TOGETHER = 128

#: The values that are taken apart here are ours; those of plug-ins go as they please.
_OURS = __name__.partition(".")[0] + "."


@dataclass(frozen=True, slots=True)
class _Routes:
    """
    Some routes of the configuration that follows.
    """

    routes: tuple[Route, ...]


def packing(changes: Iterable[Change]) -> Steps[bytes]:
    """
    Pack them, step by step.

    @return: The bytes.
    """
    parts: list[bytes] = []
    small: list[Change] = []
    for change in changes:
        if len(small) == _TOGETHER or isinstance(change, UseTable):
            parts.append(_pickled(small))
            small = []
            yield
        if isinstance(change, UseTable):
            parts.append(change.packed or (yield from _packing(change.config)))
        else:
            small.append(change)
    parts.append(_pickled(small))
    return b"".join(parts)


def packed(changes: Iterable[Change]) -> bytes:
    """
    The same at once.
    """
    return finish(packing(changes))


def unpacking(data: bytes) -> Steps[tuple[Change, ...]]:
    """
    Read them, step by step.

    @param data: What L{packing} made.
    @return: The changes.
    """
    file = BytesIO(data)
    changes: list[Change] = []
    routes: list[Route] = []
    while file.tell() < len(data):
        part = pickle.load(file)
        if isinstance(part, _Routes):
            routes += part.routes
        elif isinstance(part, Config):
            changes.append(UseTable(replace(part, routes=tuple(routes))))
            routes = []
        else:
            changes += part
        yield
    return tuple(changes)


def _packing(config: Config) -> Steps[bytes]:
    parts: list[bytes] = []
    for at in range(0, len(config.routes), _TOGETHER):
        parts.append(_pickled(_Routes(config.routes[at : at + _TOGETHER])))
        yield
    parts.append(_pickled(replace(config, routes=())))
    return b"".join(parts)


def _pickled(value: object) -> bytes:
    file = BytesIO()
    pickler = pickle.Pickler(file, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _REDUCERS
    pickler.dump(value)
    return file.getvalue()


def _reducer(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]] | None:
    """
    What takes a frozen value apart: a third of the time that its own way takes, which
    asks for its fields by name each time.

    @return: L{None} where it cannot be put together again from its fields in order.
    """
    known = fields(kind)
    if not known or not all(each.init and not each.kw_only for each in known):
        return None
    names = [each.name for each in known]
    if len(names) == 1:
        (name,) = names
        return lambda value: (kind, (getattr(value, name),))
    values = attrgetter(*names)
    return lambda value: (kind, values(value))


class _Reducers(dict[type[Any], Callable[[Any], Any]]):
    """
    For each kind of value what takes it apart, found when the first of them is packed.
    """

    def __missing__(self, kind: type[Any]) -> Callable[[Any], Any]:
        reducer = _reducer(kind) if kind.__module__.startswith(_OURS) and is_dataclass(kind) else None
        if reducer is None:
            raise KeyError(kind)
        self[kind] = reducer
        return reducer


_REDUCERS = _Reducers(copyreg.dispatch_table)
