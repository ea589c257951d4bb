"""
Where the language of configuration files has room for plug-ins.

They are looked for only when something is met that the language itself has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Self

from pydantic import Discriminator, ModelWrapValidatorHandler, PrivateAttr, model_validator
from pydantic.alias_generators import to_snake

from .plugin import Kind, plugins
from .section import TAG, Section

__all__ = ["PLUGIN", "Pluggable", "byKeyOrPlugin", "others", "sourceName"]

#: The tag of what is a plug-in's.
PLUGIN = TAG + "plugin"


def byKeyOrPlugin(key: str, words: Sequence[str], message: str) -> Discriminator:
    """
    As L{byKey<smartproxy_tw.config.section.byKey>}, with the actions of plug-ins as a branch
    of their own.

    @param words: Those of the language.
    """

    def tag(value: Any) -> str | None:
        found = value.get(key) if isinstance(value, dict) else None
        if not isinstance(found, str) or found in words:
            return TAG + found if isinstance(found, str) else None
        return PLUGIN if found in plugins().names("action") else TAG + found

    return Discriminator(tag, custom_error_type="kind", custom_error_message=f"{key}: {message}")


def sourceName(name: str) -> str:
    """
    Check the name of a source of targets.

    @raise ValueError: No plug-in has it.
    """
    if name not in plugins().names("upstream"):
        raise ValueError(f"is no source of targets{others('upstream')}")
    return name


def others(kind: Kind) -> str:
    """
    What plug-ins give, and what is left out, for the end of a message.
    """
    known = plugins()
    names, problems = known.names(kind), known.problems
    told = f"; plug-ins give {', '.join(names)}" if names else ""
    return told + "".join(f"; the plug-in {each}" for each in problems)


class Pluggable(Section):
    """
    A mapping in which conditions of plug-ins have keys of their own.
    """

    _plugged: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def plugged(self) -> dict[str, Any]:
        """
        What they are set to, by their names.
        """
        return self._plugged

    @model_validator(mode="wrap")
    @classmethod
    def _divided(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(value, dict):
            return handler(value)
        own = _names(cls)
        # Most are written as they are called: to rewrite each took a fifth of the time of a large file.
        unknown = [key for key in value if key not in own and to_snake(str(key)) not in own]
        names = plugins().names("matcher") if unknown else ()
        plugged = {key: value[key] for key in unknown if key in names}
        made = handler({key: each for key, each in value.items() if key not in plugged})
        made._plugged = plugged
        return made


@cache
def _names(section: type[Section]) -> frozenset[str]:
    return frozenset(to_snake(name) for name in section.model_fields)
