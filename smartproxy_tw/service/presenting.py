"""
Who answers which kind of challenge: the data path those that come by connections,
whoever keeps the records those that come by the DNS.  A responder for http-01 that
somebody handed in answers besides the data path, which answers all the same: it
costs nothing, and whoever asks here is not told that there is no such file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from ..config.model import Hook, Lexicon, OwnZones
from ..facts import DNS01, HTTP01, TLSALPN01, Evidence
from ..interfaces import IPlane, IPresenter, IRecords
from .gathering import gathered

if TYPE_CHECKING:
    from ..config.model import Config
    from .berths import Berths
    from .nameserver import NameServer
    from .responders import Responding

__all__ = ["Presenter", "nameServerOf", "recordsOf"]


def recordsOf(reactor: Any, config: Config) -> IRecords | None:
    """
    The way into the DNS that is configured, if one is.  Whether a certificate wants it
    can change while the proxy runs.
    """
    if config.acme.dns is None:
        return None
    if isinstance(config.acme.dns, OwnZones):
        from ..records.zone import Zones

        return Zones(config.acme.dns.zones, config.acme.dns.name)
    if isinstance(config.acme.dns, Hook):
        from ..records.hook import Hooks

        return Hooks(reactor, config.acme.dns)
    if isinstance(config.acme.dns, Lexicon):
        from ..records.lexicon import Providers

        return Providers(reactor, config.acme.dns)
    from ..records.update import Updates

    return Updates(reactor, config.acme.dns)


def nameServerOf(berths: Berths, config: Config, records: IRecords | None) -> NameServer | None:
    """
    The proxy's own name server, if those records are answered by one.
    """
    if records is None or not isinstance(config.acme.dns, OwnZones):
        return None
    from ..records.zone import Zones
    from .nameserver import NameServer

    assert isinstance(records, Zones)
    return NameServer(berths, records, config.acme.dns.listen)


@implementer(IPresenter)
class Presenter:
    """
    Hands each on.
    """

    def __init__(self, plane: IPlane, records: IRecords | None, http: Responding | None = None) -> None:
        """
        @param plane: The data path.
        @param records: The way into the DNS, or L{None}.
        @param http: Who else answers http-01, or L{None}.
        """
        self._plane = plane
        self._records = records
        self._http = http
        self._proving: set[str] = set()
        self._lent: dict[str, TLSALPN01] = {}

    def lend(self, evidence: Evidence) -> Deferred[bool]:
        """
        Let something be seen that is no order's, for
        L{Lender<smartproxy_tw.preflight.look.Lender>}: of tls-alpn-01 there is one answer
        for each name, so orders go before, and may take its place at any time.
        """
        if isinstance(evidence, TLSALPN01):
            if evidence.name in self._proving or evidence.name in self._lent:
                return succeed(False)
            self._lent[evidence.name] = evidence
        lent = self._plane.present(evidence) if not isinstance(evidence, DNS01) else self.present(evidence)
        return lent.addCallback(lambda _: True)

    def isLent(self, evidence: Evidence) -> bool:
        """
        Whether it is still to be seen.
        """
        return not isinstance(evidence, TLSALPN01) or self._lent.get(evidence.name) is evidence

    def giveBack(self, evidence: Evidence) -> Deferred[None]:
        """
        Take it away, unless an order has taken its place.
        """
        if isinstance(evidence, TLSALPN01) and not self.isLent(evidence):
            return succeed(None)
        if isinstance(evidence, DNS01):
            return self.withdraw(evidence)
        if isinstance(evidence, TLSALPN01):
            del self._lent[evidence.name]
        return self._plane.withdraw(evidence)

    def present(self, evidence: Evidence) -> Deferred[None]:
        """
        Have it seen from now on.
        """
        self._claim(evidence)
        if isinstance(evidence, HTTP01) and self._http is not None:
            return _all(self._plane.present(evidence), self._http.start(evidence))
        if not isinstance(evidence, DNS01):
            return self._plane.present(evidence)
        return _withoutDNS() if self._records is None else self._records.present(evidence)

    def withdraw(self, evidence: Evidence) -> Deferred[None]:
        """
        Take it away.
        """
        if isinstance(evidence, TLSALPN01):
            self._proving.discard(evidence.name)
        if isinstance(evidence, HTTP01) and self._http is not None:
            return _all(self._plane.withdraw(evidence), self._http.stop(evidence))
        if not isinstance(evidence, DNS01):
            return self._plane.withdraw(evidence)
        return _withoutDNS() if self._records is None else self._records.withdraw(evidence)

    def recall(self, evidence: Evidence) -> Deferred[None]:
        """
        Have what an earlier process presented seen still, as
        L{IRecords.recall<smartproxy_tw.interfaces.IRecords.recall>}.
        """
        self._claim(evidence)
        if isinstance(evidence, HTTP01) and self._http is not None:
            self._http.startAgain(evidence)
        if not isinstance(evidence, DNS01):
            return self._plane.present(evidence)
        return _withoutDNS() if self._records is None else self._records.recall(evidence)

    def _claim(self, evidence: Evidence) -> None:
        if isinstance(evidence, TLSALPN01):
            self._proving.add(evidence.name)
            self._lent.pop(evidence.name, None)


def _all(*doing: Deferred[None]) -> Deferred[None]:
    return gathered(doing).addCallback(lambda _: None)


def _withoutDNS() -> Deferred[None]:
    return fail(ValueError("acme.dns is not there any more: remove its record by hand"))
