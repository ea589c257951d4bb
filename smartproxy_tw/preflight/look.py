"""
One look at a name: what the DNS says of it, who answers at its addresses, which
authorities may issue, where a record for dns-01 would go.

All of it at once, within L{PATIENCE}: what takes longer is left out, and said to be.
Many names are looked at a few at a time.  Cancelling closes every connection, and
takes away what was put up to be seen.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Coroutine
from dataclasses import field
from os import urandom
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, DeferredSemaphore, TimeoutError

from ..bounds.within import within
from ..facts import DNS01, HTTP01, TLSALPN01, Evidence
from ..values import dataclass
from .facts import Closed, Listed, NameFacts, PortFacts, Refusal, Stranger, Unreached, Untold
from .own import isBehindNAT, isOwn

if TYPE_CHECKING:
    from ..acme.challenges import Kind
    from .findings import Check
    from .knock import Answer, Knock
    from .names import Names

__all__ = ["PATIENCE", "Lender", "Look"]

#: For one name, in seconds.
PATIENCE = 3.0

#: So many names are looked at at a time.
_AT_ONCE = 32

#: So many of the addresses that a name has.
_MOST_ADDRESSES = 8

#: What was seen serves for so many seconds: names of one order may be in the next.
_AGE = 20.0

_PATH = "/.well-known/acme-challenge/"


class Lender(Protocol):
    """
    Lets something be seen that is no order's.
    """

    def lend(self, evidence: Evidence) -> Deferred[bool]:
        """
        Have it seen, unless it would be in the way of an order.

        @return: Fires with whether it is.
        """

    def isLent(self, evidence: Evidence) -> bool:
        """
        Whether it is still seen, and no order has taken its place.
        """

    def giveBack(self, evidence: Evidence) -> Deferred[None]:
        """
        Take it away.
        """


@dataclass(slots=True)
class _Seen:
    """
    What comes together.
    """

    addresses: Listed | Refusal | None = None
    ports: list[PortFacts] = field(default_factory=list)
    late: list[Check] = field(default_factory=list)
    caa: Any = None
    proof: Any = None


class Look:
    """
    Looks.
    """

    def __init__(
        self,
        reactor: Any,
        names: Names,
        knock: Knock,
        lender: Lender | None,
        *,
        ports: tuple[int, int] = (80, 443),
        forwarded: tuple[bool, bool] = (False, False),
        zones: tuple[str, ...] = (),
        isAnswering: bool = False,
        isProving: bool = True,
        isOwn: Callable[[str], bool] = isOwn,
        isBehindNAT: Callable[[str], bool] = isBehindNAT,
    ) -> None:
        """
        @param reactor: Tells the time.
        @param names: Asks the DNS.
        @param knock: Asks addresses.
        @param lender: Lets the data path answer; L{None}: it cannot be asked to.
        @param ports: Where the authority comes to, by HTTP and by TLS.
        @param forwarded: Whether the proxy listens on others than these.
        @param zones: Those that records for dns-01 have to be in; empty: any.
        @param isAnswering: Whether the proxy is the name server of these.
        @param isProving: Whether it can be known where records for dns-01 go.
        @param isOwn: Whether an address is this machine's.
        @param isBehindNAT: Whether one is gone to from a private address.
        """
        self._reactor = reactor
        self._names = names
        self._knock = knock
        self._lender = lender
        self._ports = ports
        self._forwarded = forwarded
        self._zones = zones
        self._isAnswering = isAnswering
        self._isProving = isProving
        self._isOwn = isOwn
        self._isBehindNAT = isBehindNAT
        self._turns = DeferredSemaphore(_AT_ONCE)
        self._known: dict[tuple[str, str], tuple[float, NameFacts]] = {}

    async def at(self, name: str, kind: Kind) -> NameFacts:
        """
        Look at a name.

        @param name: As it will stand in the certificate.
        @param kind: How it would be proved.
        """
        await self._turns.acquire()
        try:
            now = self._reactor.seconds()
            self._known = {key: each for key, each in self._known.items() if now - each[0] < _AGE}
            known = self._known.get((name, kind))
            if known is None:
                known = self._known[name, kind] = now, await self._at(name, kind)
            return known[1]
        finally:
            self._turns.release()

    async def _at(self, name: str, kind: Kind) -> NameFacts:
        from ..acme.profiles import isAddress
        from ..acme.together import together

        seen = _Seen()
        parts: list[Coroutine[Any, Any, None]] = []
        if kind != "dns-01":
            parts.append(self._bounded(seen, "port", self._lookAtPorts(seen, name, kind, isAddress(name))))
        elif self._isProving:
            parts.append(self._bounded(seen, "records", self._lookAtProof(seen, name)))
        if not isAddress(name):
            parts.append(self._bounded(seen, "caa", self._lookAtCAA(seen, name)))
        await together(parts)
        if "port" in seen.late and seen.addresses is None and not isAddress(name):
            seen.late[seen.late.index("port")] = "dns"
        elif "port" in seen.late and seen.ports:
            # Each address tells it for itself.
            seen.late.remove("port")
        return NameFacts(
            name, kind, seen.addresses, tuple(seen.ports), seen.caa, seen.proof, tuple(seen.late)
        )

    async def _bounded(self, seen: _Seen, check: Check, looking: Coroutine[Any, Any, None]) -> None:
        try:
            await within(PATIENCE, self._reactor, Deferred.fromCoroutine(looking))
        except TimeoutError:
            seen.late.append(check)

    async def _lookAtCAA(self, seen: _Seen, name: str) -> None:
        seen.caa = await self._names.caa(name)

    async def _lookAtPorts(self, seen: _Seen, name: str, kind: Kind, isAddress: bool) -> None:
        from ..acme.together import together

        addresses: tuple[str, ...] = (name,)
        if not isAddress:
            found = seen.addresses = await self._names.addresses(name)
            addresses = found.values[:_MOST_ADDRESSES] if isinstance(found, Listed) else ()
        if not addresses:
            return
        evidence = _evidence(kind, name)
        isLent = await self._lend(evidence)
        try:
            visits = [self._visit(seen, each, evidence, isLent) for each in addresses]
            await together(visits)
        finally:
            if isLent and self._lender is not None:
                await self._lender.giveBack(evidence)

    async def _visit(self, seen: _Seen, address: str, evidence: Evidence, isLent: bool) -> None:
        index = int(not isinstance(evidence, HTTP01))
        port = self._ports[index]
        answer: Answer | Untold = Unreached(f"nothing came back within {PATIENCE:g} s")
        try:
            answer = await self._ask(address, port, evidence)
            if isinstance(answer, Stranger) and not (isLent and self._stillLent(evidence)):
                answer = Untold(answer.what)
            elif isinstance(answer, Closed) and self._lender is None:
                answer = Unreached("nobody listens there just now")
        finally:
            # Also when time is up: which address it was is worth knowing.
            seen.ports.append(
                PortFacts(
                    address,
                    port,
                    self._isOwn(address),
                    self._isBehindNAT(address),
                    answer,
                    self._forwarded[index],
                )
            )

    async def _ask(self, address: str, port: int, evidence: Evidence) -> Answer:
        if isinstance(evidence, HTTP01):
            wanted = evidence.keyAuthorization.encode("ascii")
            path = _PATH + evidence.token
            return await self._knock.http(address, self._ports, evidence.name, path, wanted)
        from ..acme.x509 import leafDER

        assert isinstance(evidence, TLSALPN01)
        return await self._knock.tls(address, port, evidence.name, leafDER(evidence.credential.chain))

    async def _lookAtProof(self, seen: _Seen, name: str) -> None:
        evidence = _evidence("dns-01", name)
        assert isinstance(evidence, DNS01)
        isLent = self._isAnswering and await self._lend(evidence)
        try:
            seen.proof = await self._names.proof(name, self._zones, evidence.value if isLent else None)
        finally:
            if isLent and self._lender is not None:
                await self._lender.giveBack(evidence)

    async def _lend(self, evidence: Evidence) -> bool:
        if self._lender is None:
            return False
        try:
            return await self._lender.lend(evidence)
        except ValueError:
            # A data path that cannot take it up: the order will say so.
            return False

    def _stillLent(self, evidence: Evidence) -> bool:
        return self._lender is not None and self._lender.isLent(evidence)


def _evidence(kind: Kind, name: str) -> Evidence:
    """
    What an order might present, but of our own making.
    """
    from ..acme.challenges import answer

    token, secret = (urlsafe_b64encode(urandom(24)).decode("ascii") for _ in range(2))
    return answer(kind, name.removeprefix("*."), token, f"{token}.{secret}")
