"""
What actions are built with, beside what their routes say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..config.plugin import Plugin
from ..values import dataclass
from .dotted import foundCallable

if TYPE_CHECKING:
    from ..config.application import Application
    from ..config.dotted import Callback
    from ..interfaces import IAction
    from .plugged import Plugged

__all__ = ["Means"]


def _nobody(settings: Application) -> IAction:
    raise ValueError(f"{settings.factory} cannot be used here")


@dataclass(frozen=True, slots=True)
class Means:
    """
    @ivar reactor: For delays, and for what plug-ins need.
    @ivar plugged: What plug-ins have made.
    @ivar application: Gives what hands on to code; equal ones share it.
    @ivar places: Where modules are looked for too: C{pythonPath} of the configuration.
    """

    reactor: Any
    plugged: Plugged
    places: tuple[str, ...] = ()
    application: Callable[[Application], IAction] = _nobody

    def decider(self, callback: Callback | Plugin) -> Callable[[Any], Any]:
        """
        What gives targets for facts.

        @raise ValueError: It cannot be had.
        """
        if not isinstance(callback, Plugin):
            found: Callable[[Any], Any] = foundCallable(callback, self.places)
            return found
        pick: Callable[[Any], Any] | None = getattr(self.plugged.get("upstream", callback), "pick", None)
        if pick is None or not callable(pick):
            raise ValueError(f"the {callback} cannot be used: what it made has no method pick")
        return pick
