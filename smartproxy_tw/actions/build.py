"""
From what a route says to what does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..config.model import Forward, Redirect, Respond
from .block import BlockAction
from .forward import ForwardAction
from .redirect import RedirectAction
from .respond import RespondAction

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.model import Action
    from ..interfaces import IAction, IUpstream

__all__ = ["buildAction"]


def buildAction(settings: Action, upstream: Callable[[Forward], IUpstream]) -> IAction:
    """
    @param settings: The action of a route.
    @param upstream: Gives the group for targets; equal ones share it.
    @return: What does it.
    @raise ValueError: As C{upstream} does.
    """
    if isinstance(settings, Forward):
        return ForwardAction(upstream(settings))
    if isinstance(settings, Redirect):
        return RedirectAction(settings)
    if isinstance(settings, Respond):
        return RespondAction(settings)
    return BlockAction()
