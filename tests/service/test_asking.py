"""
Tests for L{smartproxy_tw.service.asking}: what is said to authorities, by those who are asked.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.budget import UNLIMITED
from smartproxy_tw.acme.errors import (
    AuthorityProblem,
    AuthorityUnreachable,
    IssuanceFailed,
    NoChallengeUsable,
    Problem,
    TooManyNames,
)
from smartproxy_tw.acme.x509 import Signer, describe
from smartproxy_tw.facts import Credential
from smartproxy_tw.service.admission import Admission
from smartproxy_tw.service.asking import Asking
from smartproxy_tw.service.served import Served
from smartproxy_tw.service.ways import Way

NOW = 1_800_000_000.0
DAY = 86400.0
SIGNER = Signer.create("Test root", now=NOW - DAY)
NAMES = ("a.example", "b.example")


def problem(word: str, detail: str = "no", status: int = 400) -> AuthorityProblem:
    """
    What an authority says.
    """
    return AuthorityProblem("ordering", Problem(f"urn:ietf:params:acme:error:{word}", detail, status))


class Renewing:
    """
    What is known of the renewal of what is served.
    """

    def __init__(self) -> None:
        self.replaces: bytes | None = None
        self.isSuggested = False

    def refused(self) -> None:
        """
        It cannot be replaced.
        """
        self.replaces = None


class Rehearsing:
    """
    Where something can be tried out.
    """

    def __init__(self) -> None:
        self.tried: list[tuple[str, ...]] = []
        self.why: Exception | None = None

    async def tryOut(self, names: tuple[str, ...]) -> None:
        """
        It may come to nothing.
        """
        self.tried.append(names)
        if self.why is not None:
            raise self.why


class AskingTests(SynchronousTestCase):
    """
    One who asks, and an authority that answers with the next of what it is to say.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.orders: list[tuple[tuple[str, ...], bytes | None]] = []
        self.answers: list[Exception | Deferred[Credential]] = []
        self.installed: list[tuple[str, ...]] = []
        self.away: list[Deferred[None]] = []
        self.admission = Admission(UNLIMITED, None, self.clock, Random(0), self.probe, atOnce=1)
        self.way = Way("https://a.test/", self.admission, self.obtain, lambda _: succeed(None))
        self.served = Served(self.way, self.clock)
        self.renewing = Renewing()
        self.rehearsing = Rehearsing()
        self.asking = self.make(NAMES)

    def make(self, names: tuple[str, ...]) -> Asking:
        """
        One for some names.
        """
        renewing: Any = self.renewing
        rehearsing: Any = self.rehearsing
        return Asking(names, [self.way], self.served, renewing, self.install, self.clock, rehearsing)

    def probe(self) -> Deferred[None]:
        """
        Whether it is back: that is not known yet.
        """
        self.away.append(Deferred())
        return self.away[-1]

    def obtain(
        self, names: tuple[str, ...], install: Any, *, replaces: bytes | None = None
    ) -> Deferred[Credential]:
        """
        An order.
        """
        self.orders.append((names, replaces))
        answer = self.answers.pop(0) if self.answers else SIGNER.issue(names, lifetime=90 * DAY, now=NOW)
        if isinstance(answer, Exception):
            return fail(answer)
        if isinstance(answer, Deferred):
            return answer
        issued: Deferred[None] = install(answer)
        return issued.addCallback(lambda _: answer)

    async def install(self, credential: Credential, way: Way) -> None:
        """
        It is served.
        """
        facts = describe(credential.chain)
        self.served.become(credential, facts, way)
        self.installed.append(facts.names)

    def ask(self, why: type[Exception] | None = None) -> Any:
        """
        For all, in vain or not.
        """
        asked = Deferred.fromCoroutine(self.asking.askForAll())
        return self.successResultOf(asked) if why is None else self.failureResultOf(asked, why).value

    def test_first(self) -> None:
        """
        The first one replaces nothing, and is served.
        """
        self.ask()
        self.assertEqual((self.orders, self.installed), ([(NAMES, None)], [NAMES]))
        self.assertFalse(self.asking.isWaiting)
        self.assertIsNone(self.asking.wait())

    def test_replaces(self) -> None:
        """
        The next one is told what it replaces; one for some of the names is not, as it does not.
        """
        self.ask()
        self.renewing.replaces = b"before"
        self.ask()
        self.successResultOf(Deferred.fromCoroutine(self.asking.askFor(NAMES[:1])))
        self.assertEqual(self.orders[1:], [(NAMES, b"before"), (NAMES[:1], None)])

    def test_notReplaceable(self) -> None:
        """
        An authority that does not let it replace that is asked once more, without, and later
        orders do not try it again.
        """
        self.ask()
        self.renewing.replaces = b"before"
        self.answers = [problem("alreadyReplaced", status=409)]
        self.ask()
        self.ask()
        self.assertEqual([replaces for _, replaces in self.orders], [None, b"before", None, None])

    def test_otherReason(self) -> None:
        """
        What is refused for another reason is not asked again.
        """
        self.ask()
        self.renewing.replaces = b"before"
        self.answers = [problem("rejectedIdentifier")]
        self.ask(AuthorityProblem)
        self.assertEqual((len(self.orders), self.renewing.replaces), (2, b"before"))

    def test_tooMany(self) -> None:
        """
        How many names it takes is learned from its words.
        """
        self.answers = [problem("malformed", "an order may have no more than 1 name")]
        why = self.ask(TooManyNames)
        self.assertEqual((self.admission.mostNames, "1" in str(why)), (1, True))

    def test_rehearsed(self) -> None:
        """
        What could not be proved three times is tried out first, and nothing is asked of the real
        authority as long as that fails; after days it is asked all the same.
        """
        unproved = NoChallengeUsable("a.example", ["http-01"], [])
        for _ in range(3):
            self.answers = [unproved]
            self.ask(NoChallengeUsable)
        self.assertEqual((len(self.orders), self.rehearsing.tried), (3, []))
        self.rehearsing.why = unproved
        self.ask(NoChallengeUsable)
        self.assertEqual((len(self.orders), self.rehearsing.tried), (3, [NAMES]))
        self.clock.advance(4 * DAY)
        self.ask()
        self.assertEqual((len(self.orders), len(self.rehearsing.tried)), (4, 1))
        # And is forgotten with that.
        self.ask()
        self.assertEqual(len(self.rehearsing.tried), 1)

    def test_rehearsedWell(self) -> None:
        """
        What can be proved there is asked of the real authority at once.
        """
        self.asking.recall(3)
        self.ask()
        self.assertEqual((self.rehearsing.tried, self.orders), ([NAMES], [(NAMES, None)]))

    def test_otherFailures(self) -> None:
        """
        A failure that is no name's fault begins the count anew.
        """
        self.asking.recall(2)
        self.answers = [
            problem("serverInternal", status=500),
            NoChallengeUsable("a.example", ["http-01"], []),
        ]
        self.ask(AuthorityProblem)
        self.ask(NoChallengeUsable)
        self.ask()
        self.assertEqual(self.rehearsing.tried, [])

    def test_turn(self) -> None:
        """
        Who is not first waits; a client that asks has it come before those that nobody asks
        for.
        """
        busy: Deferred[Credential] = Deferred()
        self.answers = [busy]
        under = Deferred.fromCoroutine(self.asking.askForAll())
        second, third = self.make(("c.example",)), self.make(("d.example",))
        waiting = [Deferred.fromCoroutine(each.askForAll()) for each in (second, third)]
        self.assertEqual([each.isWaiting for each in (self.asking, second, third)], [False, True, True])
        third.touch(NOW)
        # One that does not wait has nothing to be brought forward.
        self.asking.touch(NOW)
        busy.errback(IssuanceFailed("no"))
        self.failureResultOf(under, IssuanceFailed)
        for each in waiting:
            self.successResultOf(each)
        self.assertEqual([names for names, _ in self.orders], [NAMES, ("d.example",), ("c.example",)])

    def test_obstacle(self) -> None:
        """
        That nothing would come of an order now is known while the authority is away, and at no
        other time.
        """
        self.assertIsNone(self.asking.obstacle())
        self.answers = [AuthorityUnreachable("ordering", "nobody answers")]
        self.ask(AuthorityUnreachable)
        found = self.asking.obstacle()
        assert found is not None
        self.assertEqual(found.code, "away")
        self.assertIn("nobody answers", str(found))
