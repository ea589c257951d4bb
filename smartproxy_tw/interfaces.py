"""
Every interface that one room keeps towards another, or that a third party may
provide, with its contract: who calls it, how often, and what a failure means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IListeningPort, IProtocolFactory

    from .acme.entry import Entry
    from .config.model import Checked, Config, Target, UpstreamTLS
    from .facts import (
        DNS01,
        Account,
        Amendment,
        AnswerHead,
        Challenge,
        ConnectionFacts,
        Credential,
        Evidence,
        RequestFacts,
        Verdict,
        WorkerFacts,
    )
    from .routing.sight import Sight

__all__ = [
    "IAccountStore",
    "IAction",
    "IActionPlugin",
    "ICondition",
    "IExchange",
    "IFilter",
    "ILens",
    "IMatcherPlugin",
    "IOrderStore",
    "IOutlet",
    "IPlane",
    "IPresenter",
    "IRecords",
    "ISeenAction",
    "IStream",
    "ISource",
    "IUpstream",
    "IUpstreamPlugin",
    "IWorkers",
]


class IPlane(Interface):
    """
    The whole vocabulary between those who decide and the data path, be it in
    this process or in several others.

    Every method returns a Deferred that fires once I{all} of the data path has
    done what was asked, and fails when any part of it could not.  The service
    rooms call these, never more than one caller for one name at a time.
    """

    def start() -> Deferred[None]:
        """
        Be ready to adopt.  Called once, before everything else.
        """

    def adopt(port: IListeningPort, number: int) -> Deferred[None]:
        """
        Accept on a bound port from now on.

        @param port: The port; its own reactor must not read from it.  It
            stays the property of the caller, who stops it after L{release}.
        @param number: The number that routes know it by.
        """

    def release(port: IListeningPort) -> Deferred[None]:
        """
        Accept on this port no more.  Connections that it accepted go on, and those
        that wait in the kernel are accepted still.  When no port is left of a
        number that the table has no need of, requests in flight are finished and
        their connections closed then, as are idle ones; tunnels go on.
        """

    def useTable(config: Config) -> Deferred[None]:
        """
        Route everything that begins from now on by this configuration.  A port that
        is adopted and that it has no need of is routed as before until L{release}.
        """

    def install(key: str, credential: Credential) -> Deferred[None]:
        """
        Serve this certificate to handshakes from now on; connections that
        exist are not touched.

        @param key: The identity of the certificate, as
            L{Auto.key<smartproxy_tw.config.model.Auto.key>} has it.
        @param credential: Looked at by the caller
            (L{checkCredential<smartproxy_tw.acme.x509.checkCredential>}): the
            first one under a key is read when the first client asks for it.
        @return: Fails with L{ValueError} when the credential cannot be used in
            place of the one before, which then stays.
        """

    def uninstall(key: str) -> Deferred[None]:
        """
        Serve no certificate under this identity any more; connections that exist
        are not touched.  That there is none is no error.

        @param key: As for L{install}.
        """

    def present(challenge: Challenge) -> Deferred[None]:
        """
        Answer this challenge from now on, before any route.
        """

    def withdraw(challenge: Challenge) -> Deferred[None]:
        """
        Answer it no more.  One that is not presented is no error.
        """

    def judge(checked: Checked, verdict: Verdict) -> Deferred[None]:
        """
        Go by what a check has found from now on: a target that is not healthy is sent
        nothing new.  What nobody has judged is healthy.
        """

    def divert(target: str) -> Deferred[None]:
        """
        Send nothing new to a target; what it has is finished, and connections that are
        kept to it are closed.

        @param target: As L{Target<smartproxy_tw.config.model.Target>} writes itself, of
            whichever routes, now and later.
        """

    def restore(target: str) -> Deferred[None]:
        """
        The contrary of L{divert}.
        """

    def sign(secret: bytes) -> Deferred[None]:
        """
        Sign the cookies of clients that come back to their targets with this, where a
        route has no secret of its own.  Called before L{useTable}, if any route needs it.
        """

    def drain(seconds: float, streams: float | None = None) -> Deferred[int]:
        """
        Accept nothing more, finish requests in flight, close what is idle.

        @param seconds: After this time what is left is cut.
        @param streams: After this time tunnels and WebSockets are; L{None}: with the
            rest.
        @return: Fires with the number of connections that were cut.
        """

    def reopen() -> Deferred[None]:
        """
        Let go of the file of the access log; the next line opens it anew.
        """

    def recent() -> Deferred[tuple[str, ...]]:
        """
        Which certificates clients have asked for of late: the keys that
        L{install} was given, the one asked for last first.  Some hundreds at
        most; what was asked for long ago may be missing, and so may what was
        asked for before the last L{install} under its key.
        """

    def tally() -> Deferred[dict[str, int]]:
        """
        Counts since the start and gauges of now, by name: of one word, or of three
        (L{cell<smartproxy_tw.plane.census.cell>}).
        """

    def processes() -> Mapping[int, int]:
        """
        The processes that the data path is in, from 1; none where it is in this one.
        """


class IPresenter(Interface):
    """
    Puts what proves a name where the authority looks.  Called by each order, for
    as many names at a time as it has.
    """

    def present(evidence: Evidence) -> Deferred[None]:
        """
        Have it seen from now on.

        @return: Fires once whoever looks sees it.  Fails when that cannot be,
            in words for the operator; it may be there in part then, and is
            withdrawn as if it were there.
        """

    def withdraw(evidence: Evidence) -> Deferred[None]:
        """
        Take it away.  What is not there is no error.
        """


class IRecords(Interface):
    """
    Where TXT records that prove names are put: one way into the DNS.
    """

    def present(record: DNS01) -> Deferred[None]:
        """
        Add a record beside those that are there.

        @return: Fires once all servers of its zone answer with it.  Fails with
            L{RecordFailed<smartproxy_tw.records.errors.RecordFailed>}.
        """

    def withdraw(record: DNS01) -> Deferred[None]:
        """
        Remove just this one, also when an earlier process added it.  Fails as
        L{present} does.
        """

    def recall(record: DNS01) -> Deferred[None]:
        """
        Called before the first connection is accepted, for what an earlier
        process has presented.  Not to wait for other machines.
        """


class IAction(Interface):
    """
    What a route does.  Built once for each route, called for each request or
    stream, on the data path: it must not block.  An exception ends that one
    connection and is logged.
    """

    def request(exchange: IExchange) -> None:
        """
        Take charge of an HTTP request whose head has been read.
        """

    def stream(stream: IStream) -> None:
        """
        Take charge of a connection that is not HTTP.
        """


class ISeenAction(IAction):
    """
    An action whose answers are changed on their way.
    """

    def instead(exchange: IExchange, answer: IAction) -> None:
        """
        As C{request}, where the data path lets another action answer, whose answer is to be
        changed as those of this one are.

        @param answer: It answers.
        """


class IExchange(Interface):
    """
    One HTTP request and its answer, as an action sees it.  Exactly one of
    C{respond}, C{begin}, C{accept}, C{forward} and C{abort} is to be called, once, at any time
    until the exchange has ended; after that they do nothing.

    Whoever stands before an action (a guard, a rewriting) calls the others first
    and hands the exchange on.
    """

    def facts() -> RequestFacts:
        """
        What is known of the request; made on demand.
        """

    def fields() -> list[tuple[str, str]]:
        """
        The header fields of the request that go on, as they came, but for what was
        amended before: of who the client is they tell what the guards have found.  Names in
        lower case.  Of forwarding fields those that a trusted peer has sent.
        """

    def onEnd(then: Callable[[], None]) -> None:
        """
        Call this once when the exchange has ended, however it does: with its answer,
        broken off, or because the client has left.

        @param then: Must not raise.
        """

    def amend(amendment: Amendment) -> None:
        """
        Send something else upstream than what came.  Several add up, in their order.
        """

    def through(lens: ILens) -> None:
        """
        Have the answer go through this, whoever it comes from.  The last one that was given
        sees it first.
        """

    def collect(most: int, then: Callable[[bytes | None], None]) -> None:
        """
        Read the whole body of the request.  Called at most once, and before
        C{respond} or C{begin}; it has been read from the client then, and cannot be
        forwarded any more.

        @param most: In bytes.  When it is longer it is not read further, and C{then}
            is called with L{None}: the answer is to be 413.  When there is no room for it
            beside what others send (C{limits.held_bytes}), it is answered with 503.
        @param then: Called once with the body, maybe before this returns; never if
            the exchange ends before.
        """

    def respond(status: int, fields: bytes, body: bytes) -> None:
        """
        Answer from here.  Where a client of HTTP/2 asks for another protocol a 2xx would be agreement
        to it (RFC 8441 section 5), which is for C{accept}: the client gets a 501 then.

        @param status: 200..599.
        @param fields: Whole header lines, each with its CR LF, without Date,
            Content-Length, Connection and Transfer-Encoding.
        @param body: Left out by the data path for HEAD, 204 and 304.
        """

    def begin(status: int, fields: bytes, length: int | None) -> IOutlet:
        """
        Answer from here with a body that comes in pieces.  A 2xx is as for C{respond}.

        @param status: As for C{respond}.
        @param fields: As for C{respond}.
        @param length: Of the body in bytes; L{None} when it is not known.
        @return: Where the pieces go.
        """

    def accept(fields: bytes, factory: IProtocolFactory) -> None:
        """
        Agree to the protocol that the request asks to change to (C{RequestFacts.changesTo}), and
        hand the bytes that follow to a protocol of this process, as L{IStream.serve} does: over
        HTTP/1.1 those of the connection, over HTTP/2 those of the stream.  The handshake is completed
        here; that it is a valid one is for the action to see to.  From then on it may last as
        long as the route lets a WebSocket, or a tunnel where it is another protocol, and the
        exchange ends when the protocol's connection does.

        @param fields: Whole header lines, as for C{respond}, without Upgrade and
            Sec-WebSocket-Accept.
        @param factory: As for L{IStream.serve}.  The transport has a method C{hold} as well, for
            who keeps what has come: see L{Served.hold<smartproxy_tw.plane.served.Served.hold>}.
        @raise ValueError: The request asks for no other protocol.
        """

    def forward(upstream: IUpstream) -> None:
        """
        Send the request there and its answer back.
        """

    def abort() -> None:
        """
        Close the connection without an answer.
        """


class IOutlet(Interface):
    """
    The body of an answer that is made here.  Where the answer has none (HEAD, 204,
    304) what is written is dropped.
    """

    isTaking = Attribute("Whether more may be written now.  What is written nevertheless is kept.")

    def write(data: bytes) -> None:
        """
        The next piece.  After the end of the exchange it is dropped.
        """

    def whenTaking(then: Callable[[], None]) -> None:
        """
        Call this once, as soon as C{isTaking} is true after it was not: the client
        has taken what was written.  Not called when the exchange ends before.
        """

    def finish() -> None:
        """
        That was all.  With fewer bytes than were promised the connection is broken.
        """

    def abort() -> None:
        """
        It will not be whole: break the connection, so that nobody takes it for whole.
        """


class ILens(Interface):
    """
    What answers are seen through on their way to the client.  One serves many
    exchanges, and is made when a configuration is put to use.
    """

    def look(facts: Callable[[], RequestFacts], head: AnswerHead) -> AnswerHead:
        """
        Called once when the head of the final answer is there (never for 1xx).

        @param facts: Of the request; made on demand.
        @param head: As it would go to the client.
        @return: The same, or one that is to go in its place.
        """


class IFilter(Interface):
    """
    What one body goes through.  Bodies are never seen as a whole: it keeps little.
    """

    def data(piece: bytes) -> bytes:
        """
        @return: What goes on in its place, or nothing for now.
        """

    def end() -> bytes:
        """
        That was all.

        @return: What goes on after it.
        """


class IStream(Interface):
    """
    One connection that is not HTTP, as an action sees it.  Exactly one of the
    methods is to be called, once.
    """

    def facts() -> ConnectionFacts:
        """
        What is known of the connection.
        """

    def onEnd(then: Callable[[], None]) -> None:
        """
        Call this once when the connection has ended, however it does.

        @param then: Must not raise.
        """

    def forward(upstream: IUpstream) -> None:
        """
        Tunnel its bytes there and back.
        """

    def serve(factory: IProtocolFactory) -> None:
        """
        Hand its bytes, those that were read already among them, to a protocol of this
        process.  It is given an C{ITCPTransport} that has half-closes, both kinds of producers, and as
        C{facts} what L{facts} says.

        @param factory: Asked for one protocol; L{None} or an exception ends the connection.
        """

    def abort() -> None:
        """
        Close it.
        """


class IUpstream(Interface):
    """
    A group of targets.  Called by the data path for each request.
    """

    tls = Attribute("The L{UpstreamTLS} that connections to it use, or L{None}.")
    crumbs = Attribute(
        "How clients find back to the target that they had, or L{None}: "
        "L{Crumbs<smartproxy_tw.upstream.crumbs.Crumbs>}."
    )

    def borrow(port: int, whose: Any) -> Any:
        """
        A kept connection that is free, or L{None}.  Where there is none L{connect} is
        called next, at once.

        @param port: The local port the client connected to (for targets with
            C{preserve}).
        @param whose: On whose behalf: an L{IExchange}.
        @return: A link, see L{smartproxy_tw.plane.link}.
        """

    def connect(port: int, then: Any, whose: Any) -> Any:
        """
        Begin a new connection.

        @param then: Called once with a link, or with the
            L{UpstreamFailure<smartproxy_tw.plane.link.UpstreamFailure>} that
            says why there is none.  Never called before this returns.
        @param whose: On whose behalf: an L{IExchange}, or for L{dial} an L{IStream}.  Has the
            client's L{ConnectionFacts<smartproxy_tw.facts.ConnectionFacts>} as C{connection} and
            its L{wire<smartproxy_tw.plane.wires.Wire>} as C{wire}, for targets that are told.
        @return: Something with a method C{cancel()}, after which C{then} is
            not called.
        """

    def repeat(port: int, target: str, isStale: bool, then: Any, whose: Any) -> Any:
        """
        Begin a new connection for a request that has been sent once already.

        @param port: As for L{borrow}.
        @param target: The one that did not answer, as its link has it.
        @param isStale: Whether it most likely closed a kept connection before
            the request came: the budget is not asked then, and a client that is
            bound to a target stays with it.  In all other cases that target is
            the last to be tried again, since it may be going down.
        @param then: As for L{connect}.
        @param whose: As for L{connect}.
        @return: As for L{connect}; or L{None}, when too many requests have been
            repeated lately, and C{then} is not called.
        """

    def dial(port: int, then: Any, whose: Any) -> Any:
        """
        Begin a new connection that carries bytes rather than requests: to the
        target whose turn it is, or to one that can be had.

        @param port: As for L{borrow}.
        @param then: Called once, perhaps before this returns, with three
            arguments: the L{wire<smartproxy_tw.plane.wires.Wire>}, registered
            with the poller (its handler there is the caller's to replace), or
            the L{UpstreamFailure<smartproxy_tw.plane.link.UpstreamFailure>}
            that says why there is none; whether the wire may have something to
            read for which no event will come; and what is to be called once,
            without arguments, when that connection has ended, or L{None} when
            nobody counts them.
        @param whose: As for L{connect}.
        @return: Something with a method C{cancel()}, after which C{then} is
            not called; L{None} where it has been called already.
        """


class IAccountStore(Interface):
    """
    Where ACME accounts rest between starts, by the URL of their directory.
    Failures are L{OSError}.  Certificates rest in a
    C{txacme.interfaces.ICertificateStore}.
    """

    def load(directory: str) -> Account | None:
        """
        The account at that directory, or L{None} when there is none yet.
        """

    def save(directory: str, account: Account) -> None:
        """
        Keep the account durably before returning.
        """


class IOrderStore(Interface):
    """
    Where the notes of orders under way rest between starts, one for each set
    of names.  Failures are L{OSError}; what waits for the disk must not block.
    """

    def load() -> Deferred[list[Entry]]:
        """
        All of them.  What makes no sense is left out, and reported.
        """

    def save(entry: Entry) -> Deferred[None]:
        """
        Keep the entry durably, in place of one for the same names; fires when
        it is kept.
        """

    def remove(names: tuple[str, ...]) -> Deferred[None]:
        """
        Forget the entry for these names.  That there is none is no error.
        """


class IWorkers(Interface):
    """
    What an L{IPlane} provides besides that, if its data path is in other processes.
    """

    def workers() -> tuple[WorkerFacts, ...]:
        """
        How it stands with each of them just now, by the number of their place; those
        that are leaving come last.
        """


class ICondition(Interface):
    """
    Something that a route asks for.  Called in the midst of routing, for each request and
    each connection that the route might take: it neither blocks nor waits.  One that raises
    does not hold, which is logged once.
    """

    def holds(sight: Sight) -> bool:
        """
        Whether it is so.

        @param sight: What is known: see L{Sight<smartproxy_tw.routing.sight.Sight>}.
        """

    def objection(sight: Sight) -> str:
        """
        Why it is not so, for C{smartproxy explain}: the end of a sentence.
        """


class ISource(Interface):
    """
    Somebody who knows where bytes go.  May have a method C{close()}, which is called once
    when no route uses it any more.
    """

    def pick(facts: RequestFacts | ConnectionFacts) -> object:
        """
        Called for each request, or for each connection that is not HTTP.  Must not block.

        @return: What L{smartproxy_tw.actions.decision} understands, or a Deferred or a
            coroutine of that.  Whatever it raises is answered with 502.
        """


class IActionPlugin(Interface):
    """
    Somebody else's kind of action: C{action: {type: NAME, ...}}.  Whoever provides this is
    found by an entry point of the group C{smartproxy_tw.plugins}, or as a plug-in of
    Twisted.
    """

    name = Attribute("What it is called in configurations: letters, digits and hyphens.")
    needsHTTP = Attribute("Whether routes with it have to speak HTTP.")
    settings = Attribute(
        """
        How settings are read: a model of pydantic, or what is called with a mapping and returns
        what C{build} takes.  The latter raises L{ValueError} for what is wrong, or
        L{WrongSettings<smartproxy_tw.config.plugin.WrongSettings>}, which says where.  Called
        when a configuration is read, and again by each process that uses it.
        """
    )

    def build(settings: Any, reactor: Any) -> IAction:
        """
        Called once for each configuration of it in each process; never while something is served.

        @param settings: As read.
        @param reactor: For delays and connections.
        @return: May have a method C{close()}, as L{ISource}.  What this raises refuses the
            configuration.
        """


class IMatcherPlugin(Interface):
    """
    Somebody else's condition: C{match: {NAME: {...}}}.  Found as L{IActionPlugin} is.
    """

    name = Attribute("As of L{IActionPlugin}.")
    needsHTTP = Attribute("As of L{IActionPlugin}.")
    settings = Attribute("As of L{IActionPlugin}.")

    def build(settings: Any) -> ICondition:
        """
        Called for each route that has it.
        """


class IUpstreamPlugin(Interface):
    """
    Somebody else's source of targets: C{targets: {source: NAME, settings: {...}}}.  Found as
    L{IActionPlugin} is.
    """

    name = Attribute("As of L{IActionPlugin}.")
    settings = Attribute("As of L{IActionPlugin}.")

    def build(settings: Any, reactor: Any) -> ISource:
        """
        As of L{IActionPlugin}.
        """
