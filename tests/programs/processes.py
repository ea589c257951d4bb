"""
What tests need that run real programs.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import process
from twisted.internet import reactor as _reactor
from twisted.internet.task import deferLater

__all__ = ["noneLeft"]

reactor: Any = _reactor


async def noneLeft() -> None:
    """
    Wait until every program that was begun here has ended, and has been heard to
    its end: one that is killed is not waited for by whoever had it killed.
    """
    while process.reapProcessHandlers or any(
        isinstance(each, process.ProcessReader | process.ProcessWriter) for each in reactor.getReaders()
    ):
        await deferLater(reactor, 0.01)
