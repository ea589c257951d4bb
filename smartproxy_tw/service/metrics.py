"""
The figures of the proxy for Prometheus: C{GET /metrics}, at the admin socket and, where
the configuration says so, at a TCP port that tells nothing else.

A port that cannot be bound costs nobody a request: the log says so, as an error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.python.failure import Failure

from .berths import Berths
from .desk import Desk, Question, Reply

if TYPE_CHECKING:
    from twisted.internet.interfaces import IListeningPort

    from ..config.model import Config
    from ..facts import Address
    from ..interfaces import IPlane
    from .status import CertificateStatus
    from .upstreams import Upstreams

__all__ = ["Exporter", "Metrics"]


class Metrics:
    """
    Of one life of a proxy.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        plane: IPlane,
        certificates: Callable[[], Iterator[CertificateStatus]],
        upstreams: Upstreams | None = None,
    ) -> None:
        """
        @param config: What it goes by.
        @param plane: Counts.
        @param certificates: How it stands with each; taken piece by piece.
        @param upstreams: Knows what there is to say of targets beside counts.
        """
        self._upstreams = upstreams
        self._config = config
        self._plane = plane
        self._certificates = certificates
        self._waiting: list[Deferred[dict[str, int]]] = []

    def begin(self, desk: Desk) -> None:
        """
        Take the question.
        """
        desk.take("GET", "/metrics", self._tell)

    def end(self) -> None:
        """
        Nothing is to be ended.
        """

    async def _tell(self, question: Question) -> Reply:
        # Nobody may ever want it.
        from .. import __version__
        from .exposition import CONTENT_TYPE, exposed
        from .measures import Figures, measures
        from .usage import usageOf

        question.only()
        tally = await self._counted()
        own = usageOf(os.getpid())
        assert own is not None
        uses = {number: usageOf(process) for number, process in self._plane.processes().items()}
        figures = Figures(
            version=__version__,
            python=sys.version.split()[0],
            config=self._config(),
            tally=tally,
            own=own,
            workers={number: use for number, use in uses.items() if use is not None},
            certificates=self._certificates(),
            verdicts={} if self._upstreams is None else self._upstreams.verdicts(),
            diverted=() if self._upstreams is None else self._upstreams.diverted,
        )
        return Reply({}, fields={"Content-Type": CONTENT_TYPE}, text=exposed(measures(figures)))

    def _counted(self) -> Deferred[dict[str, int]]:
        """
        The counts.  However many ask at a time, the data path is asked once.
        """
        waiting: Deferred[dict[str, int]] = Deferred()
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            self._plane.tally().addBoth(self._told)
        return waiting

    def _told(self, tally: dict[str, int] | Failure) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(tally)


class Exporter:
    """
    A port for Prometheus.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, address: Address, metrics: Metrics, berths: Berths | None = None
    ) -> None:
        """
        @param reactor: Listens, and tells the time.
        @param address: Where.
        @param metrics: What there is to tell.
        @param berths: Listen; by default, the reactor does.
        """
        self._reactor = reactor
        self._berths = berths or Berths(reactor)
        self._address = address
        self._desk = Desk()
        metrics.begin(self._desk)
        self._port: IListeningPort | None = None
        self._stop: Callable[[], None] = lambda: None

    def open(self) -> None:
        """
        Be there.  Never fails: that it could not be is logged.
        """
        from .conversation import Conversations

        conversations = Conversations(self._desk, self._reactor)
        address = self._address
        try:
            self._port = self._berths.listenTCP(address, conversations)
        except CannotListenError as why:
            self._log.error(
                "Nobody can have the metrics at {address}, and the proxy goes on without: {why}",
                event="metrics-refused",
                address=str(address),
                why=str(why.socketError),
            )
            return
        self._stop = conversations.stop
        self._log.info("Metrics at http://{address}/metrics", event="metrics", address=str(address))

    async def giveWay(self) -> None:
        """
        Another process is asked here.
        """
        await self.close()

    async def close(self) -> None:
        """
        Be gone.
        """
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)
        self._stop()
