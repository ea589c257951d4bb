"""
Tests for L{smartproxy_tw.testing.faults}: what each fault looks like on the wire, and
what our client makes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smartproxy_tw.acme import issuance
from smartproxy_tw.acme.client import Client
from smartproxy_tw.acme.errors import (
    AuthorityNonsense,
    AuthorityProblem,
    AuthorityUnreachable,
    IssuanceFailed,
    NoChallengeUsable,
)
from smartproxy_tw.acme.exchange import Answer, Exchange
from smartproxy_tw.acme.issuer import Issuer
from smartproxy_tw.testing.authority import Authority
from smartproxy_tw.testing.faults import Faults, Reply, whatIs

from ..acme.suite import AuthorityStory, Opened

ODD = (
    {},
    [],
    {"type": 7, "detail": ["x"], "status": "four"},
    {"type": "urn:example:unheard-of", "detail": {"a": 1}, "subproblems": "none", "identifier": 3},
    {
        "type": "urn:ietf:params:acme:error:caa",
        "detail": "x" * 5000,
        "subproblems": [7, None, {}, {"type": []}],
    },
)


class FaultsTests(SynchronousTestCase):
    """
    Which answers are met.
    """

    def test_whatIs(self) -> None:
        """
        Each path is for one thing.
        """
        for path, what in (
            ("/directory", "directory"),
            ("/nonce", "nonce"),
            ("/account", "account"),
            ("/account/1", "account"),
            ("/order", "order"),
            ("/order/1", "an order"),
            ("/order/1/finalize", "finalize"),
            ("/order/1/certificate", "certificate"),
            ("/order/1/authorization/2", "authorization"),
            ("/order/1/authorization/2/http-01", "challenge"),
            ("/renewal/abc.def", "renewal"),
            ("/revoke", "revoke"),
            ("/key", "key"),
        ):
            self.assertEqual(whatIs(path), what)

    def test_howOften(self) -> None:
        """
        A fault is for one kind of request, some times, and some of them; then all
        is well.
        """
        faults = Faults(Random(3))

        def said(path: str) -> int:
            return faults.pass_(path, lambda: Reply(200, {})).status

        faults.busy(what="order", times=2)
        self.assertEqual([said("/order/1"), *(said("/order") for _ in range(3))], [200, 503, 503, 200])
        self.assertEqual(dict(faults.met), {"order": 2})
        faults.busy(part=0.5)
        half = [said("/order") for _ in range(100)].count(503)
        self.assertTrue(30 < half < 70, half)
        faults.clear()
        self.assertEqual(said("/order"), 200)

    def test_outOfOrder(self) -> None:
        """
        What was shown before is shown again, instead of what is so now.
        """
        faults = Faults(Random(3))
        faults.outOfOrder(part=1.0)
        states = [
            faults.pass_("/order/1", lambda each=each: Reply(200, {"n": each})).body for each in range(3)
        ]
        self.assertEqual(states, [{"n": 0}, {"n": 0}, {"n": 1}])
        self.assertEqual(faults.pass_("/order", lambda: Reply(201, {"n": 9})).body, {"n": 9})


class FaultyStory(AuthorityStory, TestCase):
    authority: Any
    timeout = 300

    def openAuthority(self, httpPort: int, tlsPort: int, nonceReject: float) -> Opened:
        authority: Any = Authority(
            reactor, httpPort=httpPort, tlsPort=tlsPort, nonceReject=nonceReject, chance=Random(5)
        )
        authority.caFile = self.write(authority.root)
        return authority


class WireTests(FaultyStory):
    """
    What a fault looks like to whoever asks.
    """

    async def ask(self, timeout: float = 5.0) -> Answer:
        exchange = Exchange(reactor, caFile=self.authority.caFile, userAgent="test", timeout=timeout)
        self.addCleanup(exchange.close)
        return await exchange.ask("GET", self.authority.directoryURL)

    async def fails(self, timeout: float = 5.0) -> str:
        with self.assertRaises(AuthorityUnreachable) as caught:
            await self.ask(timeout)
        return str(caught.exception)

    async def test_each(self) -> None:
        """
        One after the other, on one authority.
        """
        await self.opens()
        faults = self.authority.faults
        whole = (await self.ask()).body
        faults.truncated()
        answer = await self.ask()
        self.assertEqual((answer.body, answer.status), (whole[: len(whole) // 2], 200))
        faults.clear()
        faults.typed("image/png")
        self.assertEqual((await self.ask()).fields["content-type"], "image/png")
        faults.clear()
        faults.busy(30)
        answer = await self.ask()
        self.assertEqual((answer.status, answer.fields["retry-after"]), (503, "30"))
        faults.clear()
        faults.slow(0.3)
        self.assertIn("no whole answer within 0.1 s", await self.fails(timeout=0.1))
        self.assertEqual((await self.ask()).body, whole)
        faults.clear()
        for after in (-1.0, 0.0, 0.05):
            faults.cut(after=after)
            await self.fails()
            faults.clear()
        self.assertEqual((await self.ask()).body, whole)


class ClientTests(FaultyStory):
    """
    What our client makes of it.
    """

    def hurried(self, timeout: float) -> Issuer:
        """
        Somebody of little patience.
        """
        self.patch(issuance, "_OUTAGE", 0.5)
        issuer = self.issuer("http-01")

        def makeClient(key: Any, account: str | None) -> Client:
            authority = self.authority
            return Client(
                reactor,
                authority.directoryURL,
                key,
                account=account,
                caFile=authority.caFile,
                timeout=timeout,
            )

        issuer._registration._makeClient = makeClient
        return issuer

    async def endures(self, misbehave: Callable[[Faults], None]) -> None:
        """
        It costs nothing but time.
        """
        await self.opens()
        misbehave(self.authority.faults)
        got = await self.issuer("http-01").obtain(("a.example", "b.example"), self.install)
        self.verify(got, "b.example")
        self.assertEqual((self.authority.orders, self.authority.invalid), (1, 0))
        self.assertEqual(self.plane.presented, [])
        self.assertTrue(self.authority.faults.met)

    async def tells(
        self,
        kind: type[IssuanceFailed],
        told: str,
        misbehave: Callable[[Faults], None],
        timeout: float = 60.0,
    ) -> None:
        """
        It is told for what it is, nothing stays behind, and when it is over the
        next order succeeds.
        """
        await self.opens()
        misbehave(self.authority.faults)
        issuer = self.hurried(timeout)
        why = await self.refused(issuer, kind, "a.example", "b.example")
        self.assertRegex(str(why), told)
        self.assertLess(len(str(why)), 3000)
        self.authority.faults.clear()
        got = await issuer.obtain(("a.example", "b.example"), self.install)
        self.verify(got, "a.example")

    async def test_slow(self) -> None:
        """
        Slow answers are waited for, up to a bound.
        """
        await self.endures(lambda faults: faults.slow(0.01))
        await self.tells(
            AuthorityUnreachable, "no whole answer within 1.5 s", lambda faults: faults.slow(4.0), 1.5
        )

    async def test_cut(self) -> None:
        """
        A connection that ends in the midst of an answer is made anew, at each
        step after the order; one that always does is as good as none.
        """
        for after in (-1.0, 0.5):
            for what in ("authorization", "challenge", "finalize", "certificate"):
                await self.endures(lambda faults, what=what, after=after: faults.cut(what, after, times=2))
            await self.tells(
                AuthorityUnreachable, "cannot be reached", lambda faults, after=after: faults.cut(after=after)
            )

    async def test_truncated(self) -> None:
        """
        Half an answer is none, wherever it comes from, a half chain included.
        """
        for what in ("directory", "order", "authorization", "finalize", "certificate"):
            await self.tells(
                AuthorityNonsense, "no JSON|PEM|certificate", lambda faults, what=what: faults.truncated(what)
            )

    async def test_typed(self) -> None:
        """
        What is what it should be, and merely called something else, is taken.
        """
        await self.endures(lambda faults: faults.typed("text/html"))

    async def test_unknownKinds(self) -> None:
        """
        Unknown kinds of challenge first do not hide a known one; alone they are
        named.
        """
        await self.endures(lambda faults: faults.unknownKinds())
        await self.tells(
            NoChallengeUsable, "smoke-signal-01", lambda faults: faults.unknownKinds(isAlone=True)
        )

    async def test_oddProblems(self) -> None:
        """
        A refusal whose document is odd is a refusal or nonsense, whose status or
        words are told.
        """
        for said in ODD:
            kind: type[IssuanceFailed] = AuthorityNonsense
            if isinstance(said, dict) and isinstance(said.get("type"), str):
                kind = AuthorityProblem
            await self.tells(
                kind, "status 403|unheard-of|caa", lambda faults, said=said: faults.says(403, said, "order")
            )
        await self.tells(
            AuthorityNonsense,
            "status 403",
            lambda faults: faults.says(403, b"\xff{", "order", Content_Type="application/problem+json"),
        )

    async def test_busy(self) -> None:
        """
        Somebody who is busy for a moment is asked again after it, and for how
        long somebody is who is busy for longer is handed on.
        """
        await self.endures(lambda faults: faults.busy(1, "authorization", times=1))
        await self.opens()
        self.authority.faults.busy(900, "order")
        why = await self.refused(self.hurried(60.0), AuthorityUnreachable, "a.example")
        self.assertEqual(why.retryAfter, 900.0)

    async def test_outOfOrder(self) -> None:
        """
        States that come out of their order, and every second nonce refused, cost
        no second order.
        """

        def misbehave(faults: Faults) -> None:
            faults.outOfOrder()
            self.authority.nonceReject = 0.5

        await self.endures(misbehave)
        self.assertEqual(self.authority.nonceReject, 0.5)
