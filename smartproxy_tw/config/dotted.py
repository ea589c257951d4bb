"""
What of Python is meant in a configuration, by its name.

The name is C{package.module:name}, or C{package.module.name} where it is clear what is a module:
as far as there is something of that name it is what is in the module, and a module otherwise.
Where something else can be meant as well, C{python:} stands before it.

Here it is only text.  It is imported where it is put to use
(L{smartproxy_tw.actions.dotted}), in each process that uses it: what travels to workers,
and what one configuration is compared with another by, is the name.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from typing import Any

from ..values import dataclass

__all__ = ["PREFIX", "Callback", "Reference", "called", "dotted", "isDotted", "reference"]

#: What a text begins with that means something of Python.
PREFIX = "python:"

_LONGEST = 300
_EXPECTED = "is no dotted name of Python: package.module.name or package.module:name was expected"


@dataclass(frozen=True, slots=True)
class Reference:
    """
    Something of Python, by its name.

    @ivar name: A module, and what it has in it, as it is written; checked by L{dotted}.
    """

    name: str

    def __str__(self) -> str:
        return PREFIX + self.name


#: What a configuration that is made in Python may have in the same places: the thing
#: itself, which stays in its process.
Callback = Reference | Callable[..., Any]


def isDotted(text: str) -> bool:
    """
    Whether a text means something of Python.
    """
    return text.startswith(PREFIX)


def dotted(text: str) -> str:
    """
    Check a dotted name, without C{python:}.

    @return: The same.
    @raise ValueError: It is none; the message is the end of a sentence that begins with
        what was written.
    """
    parts = re.split(r"\.|:", text)
    for part in parts:
        if not part.isidentifier() or keyword.iskeyword(part):
            raise ValueError(_EXPECTED)
    if text.count(":") > 1:
        raise ValueError(_EXPECTED)
    if len(parts) < 2:
        raise ValueError(f"names no module: module.{text} was expected")
    if len(text) > _LONGEST:
        raise ValueError(f"is longer than {_LONGEST} characters")
    return text


def reference(text: str) -> Reference:
    """
    Read C{python:} and a dotted name.

    @raise ValueError: As for L{dotted}.
    """
    if not isDotted(text):
        raise ValueError(f"does not begin with {PREFIX}")
    return Reference(dotted(text.removeprefix(PREFIX)))


def called(callback: Callback) -> str:
    """
    What to call it in messages.
    """
    if isinstance(callback, Reference):
        return str(callback)
    name = getattr(callback, "__qualname__", None) or type(callback).__qualname__
    module = getattr(callback, "__module__", None) or type(callback).__module__
    return f"{PREFIX}{module}.{name}"
