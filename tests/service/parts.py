"""
Parts of a proxy whose deeds are the test's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed

__all__ = ["Part"]


class Part:
    """
    Whatever is part of a proxy: it tells what is asked of it, and does that when the test
    says so, or fails.

    @ivar slow: What a deed returns, by its name.
    @ivar broken: What a deed fails with, likewise.
    """

    def __init__(self, name: str, story: list[str]) -> None:
        """
        @param name: What it is called in the story.
        @param story: Where to tell what happens.
        """
        self._name = name
        self._story = story
        self.slow: dict[str, Deferred[Any]] = {}
        self.broken: dict[str, Exception] = {}

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        """
        Whatever is asked of it.
        """

        def deed(*_: object) -> Deferred[Any]:
            self._story.append(f"{self._name}: {verb}")
            if verb in self.broken:
                raise self.broken[verb]
            return self.slow.get(verb) or succeed(None)

        return deed
