"""
Orders that were under way when the process ended, or the last try: whether they can be
gone on with, and what is done about those that cannot.

What is known of one is what L{smartproxy_tw.acme.journal} has of it, and what the
authority says now.  A note can be damaged, and an answer can have been lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from .errors import AuthorityNonsense, AuthorityProblem

if TYPE_CHECKING:
    from ..interfaces import IPresenter
    from .client import Client
    from .entry import Entry
    from .journal import Journal
    from .objects import OrderFacts

__all__ = ["Resumption", "abandon"]

#: So many of the account's last orders are looked through for one whose URL was lost.
_ORDERS_READ = 10

_log = Logger()


async def abandon(entry: Entry, journal: Journal, presenter: IPresenter) -> None:
    """
    Forget an order that nobody goes on with, and withdraw its answers.

    @param journal: That has it.
    @param presenter: Whoever may present the answers still.
    """
    for challenge in journal.challengesOf(entry):
        try:
            await presenter.withdraw(challenge)
        except Exception as why:
            _log.warn(
                "The answer for {name} that an order left behind could not be withdrawn: {why}",
                event="order-answer-left",
                name=challenge.name,
                why=str(why),
            )
    await journal.forget(entry.names)


class Resumption:
    """
    At one authority.
    """

    def __init__(self, clock: IReactorTime, journals: Sequence[Journal], presenter: IPresenter) -> None:
        """
        @param clock: The time, POSIX seconds.
        @param journals: All that have orders at this authority.
        @param presenter: Whoever may present answers still.
        """
        self._clock = clock
        self._journals = tuple(journals)
        self._presenter = presenter

    async def resume(self, client: Client, entry: Entry, journal: Journal) -> OrderFacts | None:
        """
        See whether an order that was under way can be gone on with.

        @param client: With the account.
        @param journal: That has the entry.
        @return: As the authority tells it now; L{None} when it knows of none,
            or none can come of it, and the entry is forgotten then.
        """
        from .x509 import certificateRequest

        order = None
        if entry.isOpen(self._clock.seconds()) and entry.account in (None, client.account):
            try:
                certificateRequest(entry.names, entry.key)
                order = await self._lookFor(client, entry)
            except (AuthorityProblem, AuthorityNonsense, ValueError) as why:
                _log.info(
                    "The order for {names} that was under way is of no use any more: {why}",
                    event="order-lost",
                    names=", ".join(entry.names),
                    why=str(why),
                )
        if order is None or order.status == "invalid":
            await abandon(entry, journal, self._presenter)
            return None
        await journal.placed(entry.names, client.account, order.url)
        _log.info(
            "Taking up the order for {names} that was under way",
            event="order-resumed",
            names=", ".join(entry.names),
        )
        return order

    async def _lookFor(self, client: Client, entry: Entry) -> OrderFacts | None:
        # A damaged note is not to lead elsewhere, nor to somebody who never answers.
        if entry.order is not None and _origin(entry.order) == _origin(client.account):
            return await client.readOrder(entry.order)
        # The answer to it was lost, if it was placed at all.  One that is
        # finished is no use: it may be for another key.
        others = {each.order for journal in self._journals for each in journal.entries}
        for url in (await client.listOrders())[-_ORDERS_READ:][::-1]:
            if url in others:
                continue
            order = await client.readOrder(url)
            if set(order.names) == set(entry.names) and order.status in ("pending", "ready"):
                return order
        return None


def _origin(url: str | None) -> tuple[str, str]:
    found = urlsplit(url or "")
    return found.scheme, found.netloc
