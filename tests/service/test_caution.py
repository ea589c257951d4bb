"""
Tests for L{smartproxy_tw.service.caution}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.choices import Choices
from smartproxy_tw.acme.errors import (
    AuthorityProblem,
    AuthorityUnreachable,
    IssuanceFailed,
    PreflightFailed,
    Problem,
)
from smartproxy_tw.preflight.caa import Identity, Property
from smartproxy_tw.preflight.facts import (
    Absent,
    CAAFacts,
    Listed,
    NameFacts,
    PortFacts,
    Silent,
    Stranger,
)
from smartproxy_tw.service.caution import DELAY, Caution, Preflight

NAMES = ("a.test", "b.test")


def refusal(name: str = "a.test") -> AuthorityProblem:
    """
    An authority could not prove a name.
    """
    problem = Problem("urn:ietf:params:acme:error:dns", "no such name", 400)
    return AuthorityProblem("verifying", problem, byName=[(name, problem)])


class Looking:
    """
    In place of L{Look}.

    @ivar looked: Each name, and how it would be proved.
    """

    def __init__(self) -> None:
        self.looked: list[tuple[str, str]] = []
        self.found: dict[str, NameFacts] = {}
        self.waiting: list[Deferred[None]] = []
        self.isSlow = False
        self.defect: Exception | None = None
        self.cancelled = 0

    async def at(self, name: str, kind: Any) -> NameFacts:
        """Look."""
        self.looked.append((name, kind))
        if self.defect is not None:
            raise self.defect
        if self.isSlow:
            wait: Deferred[None] = Deferred(self._left)
            self.waiting.append(wait)
            await wait
        return self.found.get(name, NameFacts(name, kind, Listed(("192.0.2.1",))))

    def _left(self, _: Deferred[None]) -> None:
        self.cancelled += 1


class CautionTests(SynchronousTestCase):
    """
    Of one certificate.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.looking = Looking()
        self.choices = Choices(("http-01", "tls-alpn-01"))
        self.identities = 0
        self.identity: Any = Identity(("ca.test",))
        self.warnings: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)
        self.caution = self.make()

    def observe(self, event: dict[str, Any]) -> None:
        """
        Note what an operator sees.
        """
        if event.get("event") == "preflight":
            self.warnings.append(event["finding"])

    def make(self, *, isStrict: bool = False) -> Caution:
        """
        It, in this world.
        """
        look: Any = self.looking
        return Caution(Preflight(lambda: look, self.choices, self.clock, isStrict=isStrict), self.clock)

    def identify(self) -> Deferred[Identity]:
        """
        What a directory says.
        """
        self.identities += 1
        if isinstance(self.identity, Exception):
            return fail(self.identity)
        return succeed(self.identity)

    def lacks(self, name: str = "a.test") -> None:
        """
        A name that is not there.
        """
        self.looking.found[name] = NameFacts(name, "http-01", Absent())

    def orders(self, order: Any) -> Deferred[str]:
        """
        An order, and a look beside it.
        """
        return Deferred.fromCoroutine(self.caution.beside(NAMES, self.identify, lambda: order))

    def asks(self, *, isUrgent: bool = False) -> Deferred[None]:
        """
        A look before an order.
        """
        return Deferred.fromCoroutine(self.caution.before(NAMES, self.identify, isUrgent=isUrgent))

    def test_quick(self) -> None:
        """
        An order that ends soon is looked at by nobody.
        """
        self.assertEqual(self.successResultOf(self.orders(succeed("done"))), "done")
        self.assertEqual((self.looking.looked, self.clock.getDelayedCalls()), ([], []))

    def test_beside(self) -> None:
        """
        An order is placed at once; one that takes longer is looked at meanwhile, and
        what is bad is told before the authority says so, and once.
        """
        self.lacks()
        order: Deferred[str] = Deferred()
        ordering = self.orders(order)
        self.assertEqual(self.looking.looked, [])
        self.clock.advance(DELAY)
        self.assertEqual(self.looking.looked, [("a.test", "http-01"), ("b.test", "http-01")])
        self.assertEqual(len(self.warnings), 1)
        self.assertIn("a.test: there is no such name in the DNS", self.warnings[0])
        order.errback(refusal())
        why = self.failureResultOf(ordering, AuthorityProblem).value
        self.assertRegex(
            str(why),
            r"no such name \(dns\).* Seen from here: a.test: there is no .*\(NXDOMAIN\); add an A .*\.$",
        )
        self.failureResultOf(self.orders(fail(refusal())), AuthorityProblem)
        self.assertEqual(len(self.warnings), 1)

    def test_quickFailure(self) -> None:
        """
        An order that fails soon is explained all the same.
        """
        self.lacks()
        why = self.failureResultOf(self.orders(fail(refusal())), AuthorityProblem).value
        self.assertIn("Seen from here: a.test: there is no such name", str(why))
        self.assertEqual([each.name for each in self.caution.findings], ["a.test"])
        self.assertEqual(self.warnings, [])

    def test_theWayThatFailed(self) -> None:
        """
        It is looked at the challenge that the order was for, whatever the next one will
        be for.
        """

        def order() -> Deferred[str]:
            self.choices.unserved("a.test", "http-01")
            return fail(refusal())

        asking = self.caution.beside(("a.test",), None, order)
        self.failureResultOf(Deferred.fromCoroutine(asking), AuthorityProblem)
        self.assertEqual(self.looking.looked, [("a.test", "http-01")])

    def test_nothingFound(self) -> None:
        """
        Where nothing is bad nothing is said, whatever the authority says.
        """
        self.looking.found["a.test"] = NameFacts("a.test", "http-01", Silent("nobody answers"))
        why = self.failureResultOf(self.orders(fail(refusal())), AuthorityProblem).value
        self.assertEqual((why.advice, self.warnings, self.caution.findings), ("", [], ()))

    def test_otherFailure(self) -> None:
        """
        An authority that is away, or busy, says nothing of names: nobody looks.
        """
        busy = AuthorityProblem("x", Problem("urn:ietf:params:acme:error:rateLimited", "too many", 429))
        for why in (AuthorityUnreachable("https://ca.test", "gone"), busy):
            self.failureResultOf(self.orders(fail(why)), IssuanceFailed)
        self.assertEqual(self.looking.looked, [])

    def test_success(self) -> None:
        """
        What was found is forgotten with a certificate.
        """
        self.lacks()
        self.failureResultOf(self.orders(fail(refusal())), AuthorityProblem)
        self.successResultOf(self.orders(succeed("done")))
        self.assertEqual(self.caution.findings, ())

    def test_slowLook(self) -> None:
        """
        An order that succeeds does not wait for a look; one that fails does, a while.
        """
        self.looking.isSlow = True
        order: Deferred[str] = Deferred()
        ordering = self.orders(order)
        self.clock.advance(DELAY)
        order.callback("done")
        self.assertEqual((self.successResultOf(ordering), self.looking.cancelled), ("done", 2))
        ordering = self.orders(fail(refusal()))
        self.assertNoResult(ordering)
        self.clock.advance(10)
        self.failureResultOf(ordering, AuthorityProblem)
        self.assertEqual((self.looking.cancelled, self.clock.getDelayedCalls()), (4, []))

    def test_cancelled(self) -> None:
        """
        A stop ends the look with the order.
        """
        self.looking.isSlow = True
        ordering = self.orders(Deferred())
        self.clock.advance(DELAY)
        ordering.cancel()
        self.failureResultOf(ordering, CancelledError)
        self.assertEqual((self.looking.cancelled, self.clock.getDelayedCalls()), (2, []))

    def test_defect(self) -> None:
        """
        A look that breaks costs no order.
        """
        self.looking.defect = RuntimeError("a bug")
        why = self.failureResultOf(self.orders(fail(refusal())), AuthorityProblem).value
        self.assertEqual(why.advice, "")
        self.caution = self.make(isStrict=True)
        self.successResultOf(self.asks())
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_off(self) -> None:
        """
        Where nobody looks an order is just an order.
        """
        self.caution = Caution(None, self.clock)
        self.successResultOf(self.asks())
        self.assertEqual(self.successResultOf(self.orders(succeed("done"))), "done")
        self.assertIs(self.failureResultOf(self.orders(fail(why := refusal()))).value, why)
        self.assertEqual(self.looking.looked, [])

    def test_advisoryNeverBefore(self) -> None:
        """
        An advisory look is never in front of an order.
        """
        self.successResultOf(self.asks())
        self.assertEqual(self.looking.looked, [])

    def test_strict(self) -> None:
        """
        A strict one is, and holds it back where something is bad, for that name; next
        time the name is tried by another challenge only if it was the way that failed.
        """
        self.caution = self.make(isStrict=True)
        self.lacks()
        why = self.failureResultOf(self.asks(), PreflightFailed).value
        self.assertEqual((list(why.byName), why.isForbidden), (["a.test"], False))
        self.assertIn("No order was placed", str(why))
        self.assertIn("add an A or AAAA record", str(why))
        self.assertEqual(self.choices.of("a.test")[0], "http-01")
        del self.looking.found["a.test"]
        self.successResultOf(self.asks())
        self.assertEqual(self.caution.findings, ())

    def test_strictUnknown(self) -> None:
        """
        What cannot be known holds nothing back.
        """
        self.caution = self.make(isStrict=True)
        self.looking.found["a.test"] = NameFacts("a.test", "http-01", Silent("nobody answers"))
        self.successResultOf(self.asks())

    def test_strictUrgent(self) -> None:
        """
        Nor is anything held back when what is served is about to end; it is told then.
        """
        self.caution = self.make(isStrict=True)
        self.lacks()
        self.successResultOf(self.asks(isUrgent=True))
        self.assertEqual(len(self.warnings), 1)
        why = self.failureResultOf(self.orders(fail(refusal())), AuthorityProblem).value
        self.assertIn("Seen from here", str(why))

    def test_strictSlow(self) -> None:
        """
        It waits for ten seconds at the most, however many names there are.
        """
        self.caution = self.make(isStrict=True)
        self.looking.isSlow = True
        asking = self.asks()
        self.clock.advance(9.9)
        self.assertNoResult(asking)
        self.clock.advance(0.1)
        self.successResultOf(asking)

    def test_otherWay(self) -> None:
        """
        Where somebody else answers, the next look is at the next challenge.
        """
        self.caution = self.make(isStrict=True)
        self.looking.found["a.test"] = NameFacts(
            "a.test",
            "http-01",
            Listed(("192.0.2.1",)),
            (PortFacts("192.0.2.1", 80, False, False, Stranger("x")),),
        )
        self.failureResultOf(self.asks(), PreflightFailed)
        self.failureResultOf(self.asks(), PreflightFailed)
        self.assertEqual(
            [kind for name, kind in self.looking.looked if name == "a.test"], ["http-01", "tls-alpn-01"]
        )

    def test_caa(self) -> None:
        """
        The authority is asked who it is only where records speak of that; an authority
        that does not answer is taken for unknown.
        """
        self.caution = self.make(isStrict=True)
        self.successResultOf(self.asks())
        self.assertEqual(self.identities, 0)
        found = CAAFacts("a.test", (Property("issue", "b.test"),))
        self.looking.found["a.test"] = NameFacts("a.test", "http-01", caa=found)
        why = self.failureResultOf(self.asks(), PreflightFailed).value
        self.assertTrue(why.isForbidden)
        self.assertEqual(self.identities, 1)
        self.identity = AuthorityUnreachable("https://ca.test", "gone")
        self.successResultOf(self.asks())

    def test_wildcard(self) -> None:
        """
        A wildcard is looked at by the DNS, or not at all.
        """
        asking = self.caution.beside(("*.a.test",), None, lambda: fail(refusal()))
        self.failureResultOf(Deferred.fromCoroutine(asking), AuthorityProblem)
        self.assertEqual(self.looking.looked, [])
        self.choices = Choices(("http-01", "dns-01"))
        self.caution = self.make()
        asking = self.caution.beside(("*.a.test",), None, lambda: fail(refusal()))
        self.failureResultOf(Deferred.fromCoroutine(asking), AuthorityProblem)
        self.assertEqual(self.looking.looked, [("*.a.test", "dns-01")])
