"""
The question that has another process take the place of this one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from .desk import Desk, Question, Refusal, Reply
from .errors import UpgradeRefused

if TYPE_CHECKING:
    from .upgrading import Successor

__all__ = ["Upgrades"]


class Upgrades:
    """
    Takes C{POST /v1/upgrade}.
    """

    def __init__(self, upgrade: Callable[[str], Deferred[Successor]]) -> None:
        """
        @param upgrade: Has it done, see
            L{Upgrading<smartproxy_tw.service.upgrading.Upgrading>}.
        """
        self._upgrade = upgrade

    def begin(self, desk: Desk) -> None:
        """
        Take questions.
        """
        desk.take("POST", "/v1/upgrade", self._take)

    def end(self) -> None:
        """
        Nothing is to be done.
        """

    async def _take(self, question: Question) -> Reply:
        question.only()
        try:
            successor = await self._upgrade(question.asker)
        except UpgradeRefused as why:
            raise Refusal(409, "refused", str(why)) from why
        members: dict[str, Any] = {"process": successor.process}
        if successor.admin is not None:
            members["admin_socket"] = successor.admin or None
        return Reply(members)
