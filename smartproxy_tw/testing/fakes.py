"""
Ports, a data path and an authority that do what the test tells them, and write
down what they were asked, each as one line of the same story.

    >>> story = Story()
    >>> listen, plane, authority = FakeListen(story), FakePlane(story), FakeAuthority(story, plane)
    >>> listen.hesitates(443)           # its listen() does not answer yet
    >>> proxy = SmartProxy(config, clock, listen=listen, plane=lambda: plane, obtain=authority.obtain)
    >>> proxy.startService()
    >>> listen.opens(443)               # now it does
    >>> story.lines
    ['bound 80', 'started', ..., 'bound 443', 'adopted 80', 'adopted 443', 'asked for shop.example']
"""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from zope.interface import implementer

from ..facts import HTTP01
from ..interfaces import IPlane

if TYPE_CHECKING:
    from twisted.internet.protocol import ServerFactory

    from ..acme.objects import RenewalFacts
    from ..acme.x509 import Signer
    from ..config.model import Checked, Config
    from ..facts import Challenge, Credential, Verdict

__all__ = ["FakeAuthority", "FakeListen", "FakePlane", "FakePort", "Story"]


class Story:
    """
    What happened, in its order.

    @ivar lines: One for each event.
    """

    def __init__(self) -> None:
        """
        Nothing has happened.
        """
        self.lines: list[str] = []

    def tell(self, line: str) -> None:
        """
        This happened.
        """
        self.lines.append(line)

    def position(self, line: str) -> int:
        """
        When something happened first, counted from 0.

        @raise AssertionError: It did not.
        """
        assert line in self.lines, f"{line!r} is not in {self.lines}"
        return self.lines.index(line)

    def has(self, beginning: str) -> bool:
        """
        Whether any line begins so.
        """
        return any(line.startswith(beginning) for line in self.lines)


@implementer(IListeningPort)
class FakePort:
    """
    A port that nobody can connect to.

    @ivar isOpen: Whether it is bound.
    @ivar isReading: Whether its own reactor would accept.
    """

    def __init__(self, story: Story, host: str, number: int) -> None:
        """
        @param story: Where to tell what happens.
        @param host: What it is bound on.
        @param number: Its number.
        """
        self._story = story
        self.host = host
        self.number = number
        self.isOpen = True
        self.isReading = True

    def startListening(self) -> None:
        """
        It does already.
        """

    def stopReading(self) -> None:
        """
        Accept no more.
        """
        self.isReading = False

    def stopListening(self) -> Deferred[None]:
        """
        Close it.
        """
        self.isOpen = False
        self._story.tell(f"closed {self.number}")
        return succeed(None)

    def getHost(self) -> IPv4Address:
        """
        Where it is bound.
        """
        return IPv4Address("TCP", self.host, self.number)


class FakeListen:
    """
    Binds ports, as L{smartproxy_tw.service.listeners.Listen} has it: at once,
    unless it was told otherwise.

    @ivar ports: What was bound, in its order, closed ones too.
    """

    def __init__(self, story: Story) -> None:
        """
        @param story: Where to tell what happens.
        """
        self._story = story
        self._hesitating: set[int] = set()
        self._refused: dict[int, Exception] = {}
        self._waiting: dict[int, Deferred[FakePort]] = {}
        self._hosts: dict[int, str] = {}
        self.ports: list[FakePort] = []

    def __call__(self, host: str, number: int, factory: ServerFactory) -> Deferred[FakePort]:
        """
        Bind.
        """
        self._hosts[number] = host
        if number in self._refused:
            return fail(self._refused[number])
        if number in self._hesitating:
            self._waiting[number] = Deferred()
            return self._waiting[number]
        return succeed(self._bind(number))

    def hesitates(self, number: int) -> None:
        """
        This port's C{listen} answers only when it L{opens}, or L{refusesNow}.
        """
        self._hesitating.add(number)

    def opens(self, number: int) -> None:
        """
        A port that hesitated is bound now.
        """
        self._waiting.pop(number).callback(self._bind(number))

    def refuses(self, number: int, code: int = errno.EADDRINUSE) -> None:
        """
        This port cannot be bound.

        @param code: Why, as an L{errno}.
        """
        self._refused[number] = self._refusal(number, code)

    def refusesNow(self, number: int, code: int = errno.EADDRINUSE) -> None:
        """
        A port that hesitated turns out not to be free.
        """
        self._waiting.pop(number).errback(self._refusal(number, code))

    @property
    def open(self) -> list[int]:
        """
        The numbers of the ports that are bound now.
        """
        return sorted(port.number for port in self.ports if port.isOpen)

    def _bind(self, number: int) -> FakePort:
        port = FakePort(self._story, self._hosts[number], number)
        self.ports.append(port)
        self._story.tell(f"bound {number}")
        return port

    def _refusal(self, number: int, code: int) -> CannotListenError:
        why = OSError(code, os.strerror(code))
        return CannotListenError(self._hosts.get(number, ""), number, why)  # type: ignore[no-untyped-call]


@implementer(IPlane)
class FakePlane:
    """
    A data path that carries nothing and agrees to everything, unless it was
    told otherwise.

    @ivar adopted: The ports it would accept on.
    @ivar installed: What it would serve, by key.
    @ivar presented: What it would answer.
    @ivar config: What it would route by.
    @ivar asked: The keys of certificates that clients would have asked for, the
        last first.
    """

    def __init__(self, story: Story) -> None:
        """
        @param story: Where to tell what happens.
        """
        self._story = story
        self._held: defaultdict[str, list[Callable[[], None]]] = defaultdict(list)
        self._holding: set[str] = set()
        self._broken: dict[str, Exception] = {}
        self._rejected: dict[Credential, str] = {}
        self.adopted: list[int] = []
        self.installed: dict[str, Credential] = {}
        self.presented: list[Challenge] = []
        self.config: Config | None = None
        self.asked: list[str] = []

    def holds(self, verb: str) -> None:
        """
        Do not finish this deed until it L{finishes}.

        @param verb: The name of a method of L{IPlane}.
        """
        self._holding.add(verb)

    def finishes(self, verb: str) -> None:
        """
        Finish what was held, and hold no more.
        """
        self._holding.discard(verb)
        held, self._held[verb] = self._held[verb], []
        for go in held:
            go()

    def breaks(self, verb: str, why: Exception) -> None:
        """
        Fail at this deed from now on.
        """
        self._broken[verb] = why

    def mends(self, verb: str) -> None:
        """
        Fail at it no more.
        """
        self._broken.pop(verb, None)

    def rejects(self, credential: Credential, why: str) -> None:
        """
        Find this one unusable.
        """
        self._rejected[credential] = why

    def reopen(self) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return self._do("reopen", lambda: self._story.tell("reopened"))

    def processes(self) -> dict[int, int]:
        """
        See L{IPlane}.
        """
        return {}

    def start(self) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return self._do("start", lambda: self._story.tell("started"))

    def adopt(self, port: IListeningPort, number: int) -> Deferred[None]:
        """
        See L{IPlane}.
        """

        def adopt() -> None:
            self.adopted.append(number)
            self._story.tell(f"adopted {number}")

        return self._do("adopt", adopt)

    def release(self, port: Any) -> Deferred[None]:
        """
        See L{IPlane}.
        """

        def release() -> None:
            if port.number not in self.adopted:
                return
            self.adopted.remove(port.number)
            self._story.tell(f"released {port.number}")

        return self._do("release", release)

    def useTable(self, config: Config) -> Deferred[None]:
        """
        See L{IPlane}.
        """

        def use() -> None:
            self.config = config
            self._story.tell("routed")

        return self._do("useTable", use)

    def install(self, key: str, credential: Credential) -> Deferred[None]:
        """
        See L{IPlane}.
        """

        if credential in self._rejected:
            return fail(ValueError(self._rejected[credential]))

        def install() -> None:
            self.installed[key] = credential
            self._story.tell(f"installed {key}")

        return self._do("install", install)

    def uninstall(self, key: str) -> Deferred[None]:
        """
        See L{IPlane}.
        """

        def uninstall() -> None:
            self.installed.pop(key, None)
            self._story.tell(f"uninstalled {key}")

        return self._do("uninstall", uninstall)

    def present(self, challenge: Challenge) -> Deferred[None]:
        """
        See L{IPlane}.
        """

        def present() -> None:
            self.presented.append(challenge)
            self._story.tell(f"presented {_kind(challenge)} {challenge.name}")

        return self._do("present", present)

    def withdraw(self, challenge: Challenge) -> Deferred[None]:
        """
        See L{IPlane}.
        """

        def withdraw() -> None:
            if challenge in self.presented:
                self.presented.remove(challenge)
            self._story.tell(f"withdrew {_kind(challenge)} {challenge.name}")

        return self._do("withdraw", withdraw)

    def judge(self, checked: Checked, verdict: Verdict) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        word = "healthy" if verdict.isHealthy else f"unhealthy: {verdict.reason}"
        return self._do("judge", lambda: self._story.tell(f"{checked.target} is {word}"))

    def divert(self, target: str) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return self._do("divert", lambda: self._story.tell(f"diverted from {target}"))

    def restore(self, target: str) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return self._do("restore", lambda: self._story.tell(f"restored {target}"))

    def sign(self, secret: bytes) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return self._do("sign", lambda: self._story.tell(f"signs with {len(secret)} bytes"))

    def drain(self, seconds: float, streams: float | None = None) -> Deferred[int]:
        """
        See L{IPlane}.
        """
        also = "" if streams is None else f", streams within {streams:g} s"
        return self._do("drain", lambda: self._story.tell(f"drained within {seconds:g} s{also}")).addCallback(
            lambda _: 0
        )

    def recent(self) -> Deferred[tuple[str, ...]]:
        """
        See L{IPlane}.
        """
        return succeed(tuple(self.asked))

    def tally(self) -> Deferred[dict[str, int]]:
        """
        See L{IPlane}.
        """
        return succeed({})

    def _do(self, verb: str, deed: Callable[[], object]) -> Deferred[None]:
        if verb in self._broken:
            return fail(self._broken[verb])
        done: Deferred[None] = Deferred()

        def go() -> None:
            # Whoever lost interest does not see it, and it does not happen.
            if not done.called:
                deed()
                done.callback(None)

        if verb in self._holding:
            self._held[verb].append(go)
        else:
            go()
        return done


class FakeAuthority:
    """
    An authority that is asked for whole certificates, as
    L{smartproxy_tw.service.ways.Obtain} has it, and answers when told to.
    It presents a challenge first and withdraws it last, as an order does.

    @ivar orders: How many were placed for each set of names.
    @ivar twins: How many of them were for the second of two certificates.
    @ivar probes: How often somebody looked whether it is there.
    @ivar questions: How often somebody asked when to renew.
    @ivar replaced: What orders were to replace, PEM, in their order.
    @ivar revoked: What was revoked, with the number of the reason, and whether its
        own key asked for it, in their order.
    """

    def __init__(self, story: Story, plane: IPlane, signer: Signer, seconds: Callable[[], float]) -> None:
        """
        @param story: Where to tell what happens.
        @param plane: Where challenges are presented.
        @param signer: Signs.
        @param seconds: The time, POSIX seconds.
        """
        self._story = story
        self._plane = plane
        self._signer = signer
        self._seconds = seconds
        self._thinking = False
        self._lifetime = 90 * 86400.0
        self._waiting: list[tuple[tuple[str, ...], Deferred[None]]] = []
        self._problems: dict[str | None, Exception] = {}
        self.orders: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self.twins: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self.probes = 0
        self.questions = 0
        self.replaced: list[bytes] = []
        self.revoked: list[tuple[Credential, int | None, bool]] = []
        self._unrevocable: dict[bool, Exception] = {}
        self._irreplaceable: Exception | None = None
        self._mostNames: int | None = None
        self._advice: tuple[float, float, float | None] | Exception | None = None

    def thinks(self) -> None:
        """
        Decide about no order until it L{decides}.
        """
        self._thinking = True

    def decides(self, names: tuple[str, ...] | None = None) -> None:
        """
        Answer all that wait, and what comes from now on at once; or just those who
        wait for some names.
        """
        self._thinking = self._thinking and names is not None
        waiting, self._waiting = self._waiting, []
        for wanted, each in waiting:
            if names not in (None, wanted):
                self._waiting.append((wanted, each))
            elif not each.called:
                each.callback(None)

    def refuses(self, why: Exception, name: str | None = None) -> None:
        """
        Answer every order with this, or just those for a name.
        """
        self._problems[name] = why

    def agrees(self, lifetime: float = 90 * 86400.0) -> None:
        """
        Issue certificates again.

        @param lifetime: Theirs, in seconds.
        """
        self._problems.clear()
        self._lifetime = lifetime

    def probe(self) -> Deferred[None]:
        """
        Look whether it is there: it is, unless it L{refuses} everything for not
        being reachable.
        """
        from ..acme.errors import AuthorityUnreachable

        self.probes += 1
        why = self._problems.get(None)
        return fail(why) if isinstance(why, AuthorityUnreachable) else succeed(None)

    def takes(self, mostNames: int) -> None:
        """
        Refuse orders for more names than this.
        """
        self._mostNames = mostNames

    def refusesReplacing(self, why: Exception) -> None:
        """
        Answer orders that say what they replace with this.
        """
        self._irreplaceable = why

    def refusesRevoking(self, why: Exception, *, byKey: bool = False) -> None:
        """
        Answer who wants something revoked with this.

        @param byKey: Just those who ask with the key of the certificate; otherwise
            just those who ask with an account.
        """
        self._unrevocable[byKey] = why

    def revoke(
        self, credential: Credential, reason: int | None = None, *, byKey: bool = False
    ) -> Deferred[None]:
        """
        Declare a certificate invalid.
        """
        if byKey in self._unrevocable:
            return fail(self._unrevocable[byKey])
        self.revoked.append((credential, reason, byKey))
        self._story.tell(f"revoked for reason {reason}{' by its key' if byKey else ''}")
        return succeed(None)

    def advises(self, start: float, end: float, retryAfter: float | None = None) -> None:
        """
        Want certificates to be renewed within a window (RFC 9773).

        @param start: As a fraction of their life.
        @param end: Likewise.
        @param retryAfter: Seconds after which to ask again.
        """
        self._advice = start, end, retryAfter

    def advisesNothing(self, why: Exception | None = None) -> None:
        """
        Have no wish, or answer who asks for it with this.
        """
        self._advice = why

    def advise(self, chain: bytes) -> Deferred[RenewalFacts | None]:
        """
        Ask when to renew.
        """
        from ..acme.objects import RenewalFacts
        from ..acme.x509 import describe

        self.questions += 1
        if self._advice is None:
            return succeed(None)
        if isinstance(self._advice, Exception):
            return fail(self._advice)
        start, end, retryAfter = self._advice
        facts = describe(chain)
        return succeed(
            RenewalFacts(
                facts.notBefore + facts.lifetime * start,
                facts.notBefore + facts.lifetime * end,
                "https://ca.example/why",
                retryAfter,
            )
        )

    def obtain(
        self,
        names: tuple[str, ...],
        install: Callable[[Credential], Deferred[None]],
        *,
        replaces: bytes | None = None,
        isTwin: bool = False,
    ) -> Deferred[Credential]:
        """
        Order a certificate.
        """
        if replaces is not None:
            self.replaced.append(replaces)
            if self._irreplaceable is not None:
                self.orders[names] += 1
                return fail(self._irreplaceable)
        return Deferred.fromCoroutine(self._obtain(names, install, isTwin))

    async def _obtain(
        self, names: tuple[str, ...], install: Callable[[Credential], Deferred[None]], isTwin: bool
    ) -> Credential:
        self.orders[names] += 1
        self.twins[names] += isTwin
        self._story.tell(f"asked for {' '.join(names)}")
        challenge = HTTP01(names[0], "t" * 22, "t" * 22 + ".thumbprint")
        await self._plane.present(challenge)
        try:
            await self._decision(names)
            for each in (None, *names):
                if each in self._problems:
                    raise self._problems[each]
            if self._mostNames is not None and len(names) > self._mostNames:
                raise self._tooMany(self._mostNames)
            credential = self._issue(names, isTwin)
            await install(credential)
            return credential
        finally:
            await self._plane.withdraw(challenge)

    def _tooMany(self, most: int) -> Exception:
        from ..acme.errors import ERRORS, AuthorityProblem, Problem

        detail = f"Order cannot contain more than {most} identifiers"
        return AuthorityProblem("placing an order", Problem(f"{ERRORS}malformed", detail, 400))

    def _issue(self, names: tuple[str, ...], isTwin: bool) -> Credential:
        if not isTwin:
            return self._signer.issue(names, lifetime=self._lifetime, now=self._seconds())
        from ..acme.x509 import certificateRequest
        from ..facts import Credential

        key = _keyOfTwins()
        request = certificateRequest(names, key)
        chain = self._signer.sign(request, names, lifetime=self._lifetime, now=self._seconds())
        return Credential(chain, key)

    def _decision(self, names: tuple[str, ...]) -> Deferred[None]:
        if not self._thinking:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append((names, waiting))
        return waiting


@cache
def _keyOfTwins() -> bytes:
    """
    One for all authorities of a process: it takes a tenth of a second and more.
    """
    from ..acme.x509 import newKey

    return newKey("rsa")


def _kind(challenge: Challenge) -> str:
    return "http-01" if isinstance(challenge, HTTP01) else "tls-alpn-01"
