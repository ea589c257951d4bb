"""
The engine holds what the connections of the data path share: the poller, the
doors of each port, the certificates, the challenges that are being answered,
the counts, the access log.

It has no thread, no Deferred and no opinion on what routes do: actions come
ready-made (L{IAction<smartproxy_tw.interfaces.IAction>}).  Whoever drives it is
the plane, L{smartproxy_tw.control.local}.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ..facts import HTTP01, Challenge, ConnectionFacts, Credential
from ..routing.sight import Sight
from ..wire.recall import Recall
from . import answers
from .census import Census, cell
from .contexts import challengeContext, checkClients
from .descriptors import room
from .door import Door
from .heralds import Heralds
from .hoard import Hoard
from .misses import Digest
from .numbers import Numbers
from .patience import Patience
from .pipes import Pipes
from .showcase import Showcase
from .trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from OpenSSL import SSL

    from ..config.model import Config, Limits, Route, Timeouts, TLSPolicy
    from ..interfaces import IAction
    from ..routing.table import PortTable
    from .door import Prepared
    from .link import UpstreamFailure
    from .poller import Poller
    from .record import AccessRecords

__all__ = ["Engine", "Entrance", "Lasting"]

# How long whoever has just connected has for its first word, while draining, in seconds: there and back
# to the far side of the world takes a third of it.  Those who connect in advance cost a stop that long.
_LAST_CALL = 1.0

_COUNTS = (
    "connections",
    "requests",
    "http2_requests",
    "misses",
    "refusals",
    "greeting_failures",
    "upstream_failures",
    "repeats",
    "overflows",
)


class Lasting(Protocol):
    """
    A client connection in any state of its life.
    """

    deadline: float

    def drain(self) -> None:
        """
        Close if idle; finish what is in flight and close then.
        """

    def expire(self) -> None:
        """
        The deadline has passed.
        """

    def crash(self) -> None:
        """
        Break, at once.
        """


class Entrance:
    """
    Everything that is known of one port number.

    @ivar number: The port.
    @ivar table: Its routes; L{None} when there are none.
    @ivar plain: The door for plain HTTP.
    @ivar actions: What each route does, by its name.
    @ivar takesTLS: As the table has it; with no table nothing is taken.
    @ivar takesHTTP: Likewise.
    @ivar takesTCP: Likewise.
    @ivar openRoute: The route for what is neither TLS nor HTTP; L{None} also where
        that depends on the client.
    @ivar servesTokens: Whether http-01 is answered here.
    @ivar servesProofs: Whether tls-alpn-01 is answered here.
    @ivar acceptors: How many sockets are accepted on.
    @ivar heralds: Who is to say first for whom it speaks; L{None} for nobody.
    """

    def __init__(self, engine: Engine, number: int) -> None:
        self.engine = engine
        self.number = number
        self.table: PortTable | None = None
        self.plain = Door(engine, number, False)
        self._secure: dict[TLSPolicy, Door] = {}
        self.actions: dict[str, IAction] = {}
        self.takesTLS = self.takesHTTP = self.takesTCP = False
        self.openRoute: Route | None = None
        self.servesTokens = self.servesProofs = False
        self.acceptors = 0
        self.heralds: Heralds | None = None

    def use(
        self,
        table: PortTable | None,
        actions: dict[str, IAction],
        challenges: Mapping[int | None, Collection[str]],
        heralds: Heralds | None = None,
    ) -> None:
        """
        Route by this from now on.

        @param challenges: Which are answered, by port.
        """
        self.heralds = None if heralds is None or self.number not in heralds.ports else heralds
        self.table = table
        self.actions = actions
        self.takesTLS = table is not None and table.takesTLS
        self.takesHTTP = table is not None and table.takesHTTP
        self.takesTCP = table is not None and table.takesTCP
        isOpen = table is not None and not table.asksClient
        self.openRoute = self.openRouteFor("") if isOpen else None
        self.answer(challenges)
        for door in self.doors:
            door.use(table, actions)

    def answer(self, challenges: Mapping[int | None, Collection[str]]) -> None:
        """
        Answer these from now on, and route as before.

        @param challenges: As for L{use}.
        """
        served = challenges.get(self.number, ())
        self.servesTokens = "http-01" in served
        self.servesProofs = "tls-alpn-01" in served

    @property
    def doors(self) -> tuple[Door, ...]:
        """
        Where HTTP comes in.
        """
        return (self.plain, *self._secure.values())

    def close(self) -> None:
        """
        The last of its sockets is gone, and no route wants the port: who came in
        time is served once by the routes that were.
        """
        for door in self.doors:
            door.isClosing = True

    def openRouteFor(self, client: str) -> Route | None:
        """
        The route for what is neither TLS nor HTTP.

        @param client: From whom it is.
        """
        if self.table is None:
            return None
        return getattr(self.table.decideStream(False, None, Sight(client)), "route", None)

    def secure(self, policy: TLSPolicy) -> Door:
        """
        The door for HTTP over TLS.

        @param policy: By which the handshake was made: what came in by one is
            never served by another.
        """
        door = self._secure.get(policy)
        if door is None:
            door = self._secure[policy] = Door(self.engine, self.number, True, policy)
            door.use(self.table, self.actions)
            door.isClosing = self.plain.isClosing
        return door


class Engine:
    """
    @ivar poller: Of all sockets.
    @ivar sharesPorts: Whether other processes accept on the same sockets.
    @ivar pipes: To splice through.
    @ivar patience: With streams that flow.
    @ivar recall: Reads the heads of answers.
    @ivar timeouts: Of the configuration in use.
    @ivar limits: Likewise.
    @ivar numbers: Of requests.
    @ivar numbersRequests: Whether they go to targets with their numbers.
    @ivar takesFrames: Whether HTTP/2 may be begun without TLS.
    @ivar isDraining: Whether nothing new is taken.
    @ivar remembersHeads: Whether what a head came to may serve for the same
        bytes from somebody else.
    @ivar counts: Since the start, by name; those of requests are some moments old.
    @ivar census: Counts what becomes an entry of the access log.
    @ivar record: Called when a request has ended, with what an entry of the access
        log has of it: see L{AccessRecords.request}.
    @ivar recordStream: Called when a connection has ended that is not HTTP: see
        L{AccessRecords.stream}.
    @ivar showcase: The certificates.
    @ivar tokens: The http-01 challenges that are being answered.
    @ivar proofs: How tls-alpn-01 challenges are being answered, by the name
        that is asked for.
    """

    def __init__(
        self,
        poller: Poller,
        clock: Callable[[], float] = time.time,
        randomness: Callable[[int], bytes] = os.urandom,
        *,
        sharesPorts: bool = False,
    ) -> None:
        """
        @param clock: The time of day, in seconds since 1970.
        @param randomness: So many random bytes.
        @param sharesPorts: Whether other processes accept on the same sockets.
        """
        self.poller = poller
        self.sharesPorts = sharesPorts
        self.pipes = Pipes()
        self.patience = Patience(poller)
        self.recall = Recall()
        self.numbers = Numbers(randomness)
        self.numbersRequests = True
        self.takesFrames = False
        self.isDraining = False
        self.counts = dict.fromkeys(_COUNTS, 0)
        self.census = Census(self.counts)
        self.timeouts: Timeouts
        self.limits: Limits
        self.hoard = Hoard()
        self._most: int
        self._each: str
        self._clock = clock
        self._records: AccessRecords
        self.record: Callable[[Prepared, str, float, int, int, int, int], None]
        self.recordStream: Callable[[Route, ConnectionFacts, float, int, int], None]
        self._alive: dict[Lasting, None] = {}
        self._entrances: dict[int, Entrance] = {}
        self._wanted: frozenset[int] = frozenset()
        self._isRetiring = False
        self.showcase = Showcase()
        self.tokens: dict[bytes, HTTP01] = {}
        self.proofs: dict[str, SSL.Context] = {}
        self._trust = Trust(())
        self.trusts = self._trust.trusts
        self.remembersHeads = True
        self._digest = Digest(poller)
        self._dateAt = 0
        self._dateLine = b""

    # Configuration.

    def use(
        self,
        config: Config,
        tables: Mapping[int, PortTable],
        actions: dict[str, IAction],
        records: AccessRecords,
    ) -> None:
        """
        Route everything that begins from now on by this.  A port that it has no
        need of is routed as before for as long as it is accepted on.

        @param tables: By port.
        @param actions: By the name of the route.
        @param records: Where access records go.
        @raise ValueError: A file that says who may sign for clients cannot be used;
            everything stays as it was.
        """
        for clients in {route.tls.policy.clients for route in config.routes if route.tls is not None}:
            if clients is not None:
                checkClients(clients)
        self.timeouts = config.timeouts
        self.limits = config.limits
        self.hoard.use(config.limits.heldBytes)
        self.numbersRequests = config.requestID
        self.takesFrames = config.http2PriorKnowledge
        self._most = min(config.limits.connections, room())
        # A worker goes by its share of the limit.
        self._each = "" if config.workers == 1 else f" for each of {config.workers} workers"
        self._trust = Trust(config.trustedProxies)
        # The same head means one thing from a trusted peer and another from a stranger.
        self.remembersHeads = not config.trustedProxies
        self.trusts = self._trust.trusts
        self._records = records
        self.record = records.request
        self.recordStream = records.stream
        self.showcase.readAgain()
        records.use(self.numbers if config.requestID else None)
        # What has ended under the table before does not keep that alive.
        records.flush()
        self.census.keep({route.name for route in config.routes})
        challenges = _challengesOf(config)
        heralds = None if config.proxyProtocol is None else Heralds(config.proxyProtocol)
        self._wanted = frozenset(config.ports)
        for number in {*self._entrances, *tables}:
            entrance = self.entrance(number)
            if entrance.acceptors and number not in self._wanted:
                entrance.answer(challenges)
            else:
                entrance.use(tables.get(number), actions, challenges, heralds)

    def entrance(self, number: int) -> Entrance:
        """
        @return: What is known of a port.
        """
        found = self._entrances.get(number)
        if found is None:
            found = self._entrances[number] = Entrance(self, number)
        return found

    def left(self, entrance: Entrance) -> None:
        """
        A socket of a port is accepted on no more.
        """
        if entrance.acceptors or entrance.number in self._wanted:
            return
        entrance.close()
        if not self._isRetiring:
            # Once for all ports that go together.
            self._isRetiring = True
            self.poller.later(self._retire)

    # Certificates and challenges.

    def install(self, key: str, credential: Credential) -> None:
        """
        Show this certificate from now on.

        @raise ValueError: As L{Showcase.install}.
        """
        self.showcase.install(key, credential)

    def uninstall(self, key: str) -> None:
        """
        Show none under this identity any more.
        """
        self.showcase.uninstall(key)

    def present(self, challenge: Challenge) -> None:
        """
        Answer a challenge.

        @raise ValueError: Its certificate cannot be used.
        """
        if isinstance(challenge, HTTP01):
            self.tokens[challenge.token.encode("ascii")] = challenge
        else:
            self.proofs[challenge.name] = challengeContext(challenge.credential)

    def withdraw(self, challenge: Challenge) -> None:
        """
        Answer it no more.
        """
        if isinstance(challenge, HTTP01):
            self.tokens.pop(challenge.token.encode("ascii"), None)
        else:
            self.proofs.pop(challenge.name, None)

    def http01(self, token: bytes, host: str) -> str | None:
        """
        @param token: The end of a challenge's path; nothing that is not in an
            open order is found, whatever it looks like.
        @param host: Who is asked for.
        @return: The key authorization to answer with.
        """
        challenge = self.tokens.get(token)
        return challenge.keyAuthorization if challenge is not None and challenge.name == host else None

    # Connections.

    @property
    def isFull(self) -> bool:
        """
        Whether another connection would be one too many.
        """
        return len(self._alive) >= self._most

    @property
    def open(self) -> int:
        """
        How many client connections there are.
        """
        return len(self._alive)

    def enter(self, connection: Lasting) -> None:
        """
        A connection begins this part of its life.
        """
        self._alive[connection] = None
        self.poller.mortals[connection] = None

    def leave(self, connection: Lasting) -> None:
        """
        It has ended, or goes on as something else.
        """
        self._alive.pop(connection, None)
        self.poller.mortals.pop(connection, None)

    def _retire(self) -> None:
        """
        End the sessions of doors that close: what is idle now, the others with
        their answer.  Whatever is no session goes on.
        """
        self._isRetiring = False
        for connection in list(self._alive):
            door: Door | None = getattr(connection, "door", None)
            if door is not None and door.isClosing:
                connection.retire()  # type: ignore[attr-defined]

    def drain(self) -> None:
        """
        Finish what is in flight; begin nothing but what is on its way already: who has
        just connected has been promised an answer, and knows of no other place.
        """
        self.isDraining = True
        if not self._alive:
            return
        self.timeouts = replace(self.timeouts, head=min(self.timeouts.head, _LAST_CALL))
        for connection in list(self._alive):
            connection.drain()

    def lastCall(self, deadline: float) -> float:
        """
        Until when somebody who has said nothing yet is waited for, while draining.

        @param deadline: Until when otherwise.
        """
        return min(deadline, self.poller.now + _LAST_CALL)

    def cut(self, isStream: bool) -> int:
        """
        Break what is left.

        @param isStream: Whether of what is a stream of bytes, or of the rest.
        @return: How many connections that were.
        """
        left = [each for each in self._alive if getattr(each, "isStream", False) is isStream]
        for connection in left:
            connection.crash()
        return len(left)

    # What is told about.

    def dateLine(self) -> bytes:
        """
        The Date field of now.
        """
        now = int(self._clock())
        if now != self._dateAt:
            self._dateAt = now
            self._dateLine = answers.dateLine(now)
        return self._dateLine

    def missed(self, port: int, reason: str, connection: ConnectionFacts) -> None:
        """
        No route took it.
        """
        self.counts["misses"] += 1
        self._digest.add(
            "no-route", "No route: {reason} (from {client})", reason=reason, client=connection.client.host
        )

    def refused(self, status: int, reason: str, connection: ConnectionFacts) -> None:
        """
        A request was answered with an error of ours.
        """
        self.counts["refusals"] += 1
        self._digest.add(
            "request-refused",
            f"Refused with {status}: {{reason}} (from {{client}})",
            reason=reason,
            client=connection.client.host,
        )

    def denied(self, route: str, reason: str, client: str, detail: str) -> None:
        """
        A guard let somebody not pass.

        @param route: Its name.
        @param reason: One word, of which there are few.
        @param detail: What else there is to say.
        """
        self.census.denied(reason, route)
        if detail:
            text = f"Denied ({reason}) on route {{route}}: {{detail}} (from {{client}})"
            self._digest.add("denied", text, route=route, client=client, detail=detail)
        else:
            text = f"Denied ({reason}) on route {{route}} (from {{client}})"
            self._digest.add("denied", text, route=route, client=client)

    def gaveUp(self, connection: ConnectionFacts) -> None:
        """
        A client took too little of its answer.
        """
        self._digest.add(
            "answer-not-taken",
            "Broke off: {client} took its answer too slowly, or not at all",
            client=connection.client.host,
        )

    def unwelcome(self, reason: str, client: str) -> None:
        """
        A connection ended before there was a request.
        """
        self.counts["greeting_failures"] += 1
        self._digest.add("no-tls", "No TLS: {reason} (from {client})", reason=reason, client=client)

    def unruly(self, reason: str, connection: ConnectionFacts) -> None:
        """
        A connection of HTTP/2 ended because the client did not keep to the protocol.
        """
        self.counts["refusals"] += 1
        self._digest.add(
            "http2-fault",
            "Ended a connection of HTTP/2: {reason} (from {client})",
            reason=reason,
            client=connection.client.host,
        )

    def unannounced(self, reason: str, peer: str) -> None:
        """
        A connection ended at the header of the PROXY protocol.
        """
        self.counts["greeting_failures"] += 1
        self._digest.add(
            "no-proxy-header", "PROXY protocol: {reason} (from {client})", reason=reason, client=peer
        )

    def upstreamFailed(self, route: Route | None, failure: UpstreamFailure) -> None:
        """
        A target did not do its part.
        """
        self.counts["upstream_failures"] += 1
        self._digest.add(
            "target-failed",
            "Route {route}: {reason}",
            reason=failure.reason,
            route=route.name if route is not None else "-",
        )

    def repeated(self, target: str) -> None:
        """
        A request is sent a second time.

        @param target: The one that did not answer.
        """
        self.counts["repeats"] += 1
        name = cell("target_repeats", "-", target)
        self.counts[name] = self.counts.get(name, 0) + 1

    def overflowed(self, port: int) -> None:
        """
        A connection was refused because there are too many.
        """
        self.counts["overflows"] += 1
        self._digest.add(
            "connection-refused",
            "Refused a connection on port {port}: {reason}",
            reason=f"limits.connections is {self.limits.connections}{self._each}"
            if self._most == self.limits.connections
            else f"the limit of open files allows {self._most} at a time (ulimit -n, LimitNOFILE=)",
            port=str(port),
        )

    def recordRefusal(self, client: str, head: bytes, status: int, size: int) -> None:
        """
        Something that was not quite a request was refused.
        """
        self._records.refusal(client, head, status, size)


def _challengesOf(config: Config) -> dict[int | None, set[str]]:
    """
    Which challenges are answered on which port.
    """
    found: dict[int | None, set[str]] = {}
    if config.autoCertificates:
        for kind in config.challenges:
            found.setdefault(config.acme.port(kind), set()).add(kind)
    return found
