"""
Has a proxy reload whenever the files of its configuration change, where the configuration
says so; which files these are may change with it.

How a change is noticed is L{smartproxy_tw.service.watch}'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from ..config.model import Config
    from .watch import Watch

__all__ = ["Following"]


class Following:
    """
    Of one proxy.
    """

    def __init__(self, reactor: Any, reload: Callable[[str], Deferred[Any]]) -> None:
        """
        @param reactor: Watches.
        @param reload: Has the configuration read anew; called with who wants it, for the log,
            which has what comes of it.
        """
        self._reactor = reactor
        self._reload = reload
        self._watch: Watch | None = None

    def follow(self, config: Config) -> None:
        """
        Watch the files of this configuration from now on, and no others, if it wants that.

        @param config: It is in use.
        """
        if not config.watch or not config.files:
            self.stop()
            return
        from .watch import Watch

        if self._watch is None:
            self._watch = Watch(self._reactor, self._changed)
        self._watch.follow(config.files, config.patterns)

    def stop(self) -> None:
        """
        Watch nothing.
        """
        if self._watch is not None:
            self._watch.stop()
            self._watch = None

    def _changed(self) -> None:
        # What comes of it is in the log.
        self._reload("its files have changed").addErrback(lambda _: None)
