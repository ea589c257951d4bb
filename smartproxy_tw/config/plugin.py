"""
What somebody else's code is to do, by its name, and how it is set.

The settings are kept as the text that they were written as, in JSON: a value that can be
compared, and that travels to workers, where the plug-in reads it again.  Plug-ins are
found by L{smartproxy_tw.plugins}, which knows Twisted, as this room does not: so that
one is had by its name, when a name was met that nothing else has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal, Protocol

from ..values import dataclass

__all__ = ["Kind", "Plugin", "Plugins", "WrongSettings", "plugins"]

#: What a plug-in does.
Kind = Literal["action", "matcher", "upstream"]

_ROOM = "smartproxy_tw.plugins.discovery"


@dataclass(frozen=True, slots=True)
class Plugin:
    """
    @ivar name: As the plug-in calls itself.
    @ivar text: Its settings, a JSON object with its keys in order.
    """

    name: str
    text: str = "{}"

    def __str__(self) -> str:
        return f"plug-in {self.name}"

    @classmethod
    def having(cls, name: str, settings: Mapping[str, Any]) -> Plugin:
        """
        @param settings: Texts, numbers, claims, lists and mappings.
        @raise ValueError: There is something else among them.
        """
        try:
            return cls(name, json.dumps(dict(settings), sort_keys=True, allow_nan=False))
        except TypeError as why:
            raise ValueError(f"The settings of the plug-in {name} have to be plain values: {why}") from None

    @property
    def settings(self) -> dict[str, Any]:
        """
        How it is set, anew for each caller.
        """
        found = json.loads(self.text)
        assert isinstance(found, dict)
        return found


class WrongSettings(ValueError):
    """
    What a plug-in says of settings that are wrong.

    @ivar mistakes: For each where it is, from the settings on, and what is wrong: the end
        of a sentence, or all of it.
    """

    def __init__(self, *mistakes: tuple[tuple[str | int, ...], str]) -> None:
        super().__init__("; ".join(text for _, text in mistakes))
        self.mistakes = list(mistakes)


class Plugins(Protocol):
    """
    What there is.

    @ivar problems: Why others are not there, one sentence for each.
    """

    problems: tuple[str, ...]

    def names(self, kind: Kind) -> tuple[str, ...]:
        """
        What those of a kind are called, in order.
        """

    def get(self, kind: Kind, name: str) -> Any:
        """
        The one of that name.

        @raise ValueError: There is none; the message lists those that there are.
        """

    def mistakes(self, kind: Kind, plugin: Plugin) -> list[tuple[tuple[str | int, ...], str]]:
        """
        What is wrong with its settings: where, and what.
        """

    def matcher(self, plugin: Plugin) -> Any:
        """
        A condition of somebody else's, as L{smartproxy_tw.routing.conditions} has them.

        @raise ValueError: It cannot be made.
        """


def plugins() -> Plugins:
    """
    What there is, looked for once.
    """
    found: Plugins = import_module(_ROOM).known()
    return found
