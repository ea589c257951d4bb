"""
From what a route says to what does it.

What does it is imported with the first route that says so: most forward, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..config.model import Application, Block, FileTree, Forward, Plugin, Redirect, Respond
from ..interfaces import IAction
from ..routing.patterns import pathPattern
from .forward import ForwardAction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..config.model import Route
    from ..config.revision import ErrorPage
    from ..upstream.assortment import Assortment
    from ..upstream.group import Group
    from .means import Means
    from .seen import Glass

__all__ = ["buildAction", "buildFallback"]


def _unguarded(route: Route, action: IAction) -> IAction:
    return action


def buildAction(
    route: Route,
    upstream: Callable[[Forward], Group | Assortment],
    means: Means,
    guarded: Callable[[Route, IAction], IAction] = _unguarded,
) -> IAction:
    """
    @param route: Says what to do.
    @param upstream: Gives the group for targets, or the assortment for those that are
        worked out; equal ones share it.
    @param means: What else is needed.
    @param guarded: Puts the guards of a route before an action; by default there are none.
    @return: What does it.  The order, from outside in: what sees all answers, also those of
        guards; guards; what amends requests; the action.
    @raise ValueError: As C{upstream} and C{guarded} do, or something of Python cannot be had.
    """
    action = _action(route, upstream, means)
    action = _amended(route, action)
    action = guarded(route, action)
    return _seen(route, action)


def buildFallback(pages: Sequence[ErrorPage]) -> IAction | None:
    """
    @param pages: Of the whole proxy.
    @return: What is done where no route takes a request; L{None}: the usual.
    """
    if not pages:
        return None
    from ..routing.filling import ANYWHERE
    from .pages import Fallback, Pages
    from .seen import Seen

    return Seen((Pages(pages),), "", ANYWHERE, Fallback())


def _action(route: Route, upstream: Callable[[Forward], Group | Assortment], means: Means) -> IAction:
    settings = route.action
    if isinstance(settings, Forward):
        return _forward(settings, route.name, upstream, means)
    if isinstance(settings, Redirect):
        from .redirect import RedirectAction

        return RedirectAction(settings, route.name, pathPattern(route.path))
    if isinstance(settings, Respond):
        from .respond import RespondAction

        return RespondAction(settings, route.name, pathPattern(route.path))
    if isinstance(settings, Plugin):
        return _plugged(settings, means)
    if isinstance(settings, FileTree):
        from .files import FilesAction

        return FilesAction(settings, means.reactor)
    if isinstance(settings, Application):
        from .dotted import search

        search(means.places)
        return means.application(settings)
    assert isinstance(settings, Block)
    from .block import BlockAction

    return BlockAction(settings)


def _amended(route: Route, action: IAction) -> IAction:
    """
    Requests go on changed, where a route asks for that.
    """
    changes = None if route.headers is None else route.headers.request
    if route.rewrite is None and (changes is None or not changes):
        return action
    from .amended import Amended

    return Amended(changes, route.rewrite, route.name, pathPattern(route.path), action)


def _seen(route: Route, action: IAction) -> IAction:
    """
    Answers go back changed, where a route asks for that: they get a page, then their places are
    mapped and their header fields changed, then they are compressed.
    """
    glasses: list[Glass] = []
    if route.compress is not None:
        from .compression import Compression

        glasses.append(Compression(route.compress))
    if route.headers is not None and route.headers.response:
        from .headings import Headings

        glasses.append(Headings(route.headers.response))
    if route.rewrite is not None and route.rewrite.mapsLocation:
        from .places import Places

        glasses.append(Places(route.rewrite))
    if route.errorPages:
        from .pages import Pages

        glasses.append(Pages(route.errorPages, _own(route.action)))
    if not glasses:
        return action
    from .seen import Seen

    return Seen(tuple(glasses), route.name, pathPattern(route.path), action)


def _own(settings: object) -> int | None:
    """
    @return: The status for which an action has a body that the operator has chosen for just that.
    """
    if isinstance(settings, FileTree) and settings.notFound is not None:
        return 404
    return settings.status if isinstance(settings, Respond) and settings.body else None


def _forward(
    settings: Forward, name: str, upstream: Callable[[Forward], Group | Assortment], means: Means
) -> IAction:
    if settings.branches:
        actions = [_forward(branch.forward, name, upstream, means) for branch in settings.branches]
        from .branches import BranchesAction

        return BranchesAction(settings.branches, actions, means)
    group: Any = upstream(settings)
    if settings.dynamic is not None:
        from .dynamic import DynamicAction

        return DynamicAction(name, settings.dynamic, group, means)
    if settings.balance.sticky is None:
        return ForwardAction(group)
    from .sticky import StickyAction

    return StickyAction(group)


def _plugged(settings: Plugin, means: Means) -> IAction:
    made: IAction = means.plugged.get("action", settings)
    if not IAction.providedBy(made):
        raise ValueError(f"the {settings} cannot be used: what it made provides no IAction")
    return made
