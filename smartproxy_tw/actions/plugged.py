"""
Actions and sources of targets that plug-ins have made.

One is made for each plug-in and settings, whatever number of routes have it, and stays
over reloads for as long as one of them does; then it is closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

if TYPE_CHECKING:
    from ..config.plugin import Kind, Plugin

__all__ = ["Plugged"]

_log = Logger()


class Plugged:
    """
    Those of one configuration.
    """

    def __init__(self, reactor: Any, before: Plugged | None = None) -> None:
        """
        @param reactor: For those who need one.
        @param before: Those that there were, which are used again.
        """
        self._reactor = reactor
        self._before: Mapping[tuple[Kind, Plugin], Any] = {} if before is None else before.made
        self.made: dict[tuple[Kind, Plugin], Any] = {}

    def get(self, kind: Kind, plugin: Plugin) -> Any:
        """
        The one for these settings.

        @raise ValueError: It cannot be made.
        """
        key = (kind, plugin)
        found = self.made.get(key)
        if found is None:
            found = self._before.get(key)
        if found is None:
            # Few configurations have any.
            from ..plugins import discovery

            found = discovery.known().built(kind, plugin, self._reactor)
        self.made[key] = found
        return found

    def close(self, after: Plugged | None = None) -> None:
        """
        Close those that are used no more.

        @param after: What is used from now on.
        """
        for (kind, plugin), found in self.made.items():
            if after is not None and (kind, plugin) in after.made:
                continue
            close = getattr(found, "close", None)
            if close is None:
                continue
            try:
                close()
            except Exception:
                _log.failure("The {plugin} could not be closed", event="plugin-failed", plugin=str(plugin))
