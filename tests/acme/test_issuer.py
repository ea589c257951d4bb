"""
Tests for L{smartproxy_tw.acme.issuer} and L{smartproxy_tw.acme.issuance}: what
an authority may do to an order, and what is left of it.

That all goes well when the authority behaves is told by
L{tests.acme.suite.AuthoritySuite}.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.trial.unittest import TestCase
from twisted.web.server import Request

from smartproxy_tw.acme import issuance, schedule
from smartproxy_tw.acme.errors import (
    AuthorityNonsense,
    AuthorityProblem,
    AuthorityUndecided,
    AuthorityUnreachable,
    NoChallengeUsable,
)
from smartproxy_tw.acme.x509 import Signer
from smartproxy_tw.testing.authority import Authority
from smartproxy_tw.testing.faults import whatIs
from smartproxy_tw.testing.ledger import problemDocument
from smartproxy_tw.testing.registry import Reply
from smartproxy_tw.testing.signed import Refused

from .suite import AuthorityStory, Opened

HTML = Reply(200, b"<html>Welcome to nginx!</html>", {"Content-Type": "text/html"})


def refusal(status: int, word: str, detail: str, **members: Any) -> Reply:
    """
    A problem document.
    """
    return Reply(status, problemDocument(Refused(status, word, detail, **members)))


class Faulty(Authority):
    """
    Behaves, until told otherwise.

    @ivar instead: Given what is asked for, says what to answer without doing
        it, or C{None}.
    @ivar spoil: Given what was asked for and what was done, says what to
        answer.
    @ivar asked: How often each was asked for.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(reactor, chance=Random(7), **options)
        self.instead: Callable[[str], Reply | None] = lambda what: None
        self.spoil: Callable[[str, Reply], Reply] = lambda what, reply: reply
        self.asked: Counter[str] = Counter()

    def reply(self, request: Request) -> Reply:
        what = whatIs(request.path.decode("ascii"))
        self.asked[what] += 1
        instead = self.instead(what)
        if instead is None:
            return self.spoil(what, super().reply(request))
        if "Replay-Nonce" not in instead.fields:
            instead.fields["Replay-Nonce"] = self._nonces.give()
        return instead

    def fails(self, what: str, times: int, status: int = 500) -> None:
        """
        Answer so many times with an error, and do nothing.
        """
        self.instead = lambda asked: (
            Reply(status, b"Internal Server Error") if asked == what and self.asked[what] <= times else None
        )

    def forgets(self, what: str, times: int) -> None:
        """
        Do it, and answer so many times with an error all the same.
        """
        self.spoil = lambda asked, reply: (
            Reply(502, b"Bad Gateway") if asked == what and self.asked[what] <= times else reply
        )

    def says(self, what: str, **members: Any) -> None:
        """
        Answer with other members than those that are right.
        """

        def spoil(asked: str, reply: Reply) -> Reply:
            if asked == what and isinstance(reply.body, dict):
                reply.body = {**reply.body, **members}
            return reply

        self.spoil = spoil


class FaultStory(AuthorityStory, TestCase):
    authority: Any
    timeout = 300

    def openAuthority(self, httpPort: int, tlsPort: int, nonceReject: float) -> Opened:
        authority: Any = Faulty(httpPort=httpPort, tlsPort=tlsPort, nonceReject=nonceReject)
        authority.caFile = self.write(authority.root)
        return authority

    async def succeeds(self) -> None:
        """
        There is a certificate, by one order, and nothing is left behind.
        """
        got = await self.issuer("http-01").obtain(("a.example", "b.example"), self.install)
        self.verify(got, "a.example")
        self.assertEqual((self.authority.orders, self.authority.invalid), (1, 0))
        self.assertEqual(self.plane.presented, [])

    async def failsWith(self, kind: type[Exception]) -> Any:
        """
        There is none, and nothing is left behind.
        """
        issuer = self.issuer("http-01")
        why = await self.assertFailure(issuer.obtain(("a.example", "b.example"), self.install), kind)
        self.assertIs(type(why), kind)
        self.assertEqual((self.plane.presented, self.installed), ([], []))
        return why


class PassingFaultTests(FaultStory):
    """
    What passes costs no order.
    """

    async def test_errorsBefore(self) -> None:
        """
        An authority that stumbles at any step, and does nothing, is asked
        again.
        """
        self.patch(schedule, "_FIRST_LOOK", 0.004)
        for what in ("authorization", "challenge", "finalize", "certificate"):
            await self.opens()
            self.authority.fails(what, 2)
            await self.succeeds()

    async def test_email(self) -> None:
        """
        The authority has the address of the configuration for an account, and none where there is
        none.
        """
        for email, wanted in (("ops@site.example", ["mailto:ops@site.example"]), (None, [])):
            await self.opens()
            await self.issuer(email=email).obtain(("a.example",), self.install)
            [account] = self.authority._registry._accounts._accounts.values()
            self.assertEqual(account.contact, wanted)

    async def test_probe(self) -> None:
        """
        Whether the authority is there is found out by one request, without an
        account, and again when the directory is known.
        """
        await self.opens()
        issuer = self.issuer("http-01")
        self.authority.fails("directory", 1)
        await self.assertFailure(issuer.probe(), AuthorityUnreachable)
        await issuer.probe()
        await issuer.probe()
        self.assertEqual(dict(self.authority.asked), {"directory": 3})

    async def test_answersLost(self) -> None:
        """
        An authority that does what it is asked, and whose answer is lost, is
        understood all the same.
        """
        self.patch(schedule, "_FIRST_LOOK", 0.004)
        for what in ("authorization", "challenge", "finalize", "certificate"):
            await self.opens()
            self.authority.forgets(what, 2)
            await self.succeeds()

    async def test_notReadyYet(self) -> None:
        """
        An authority that needs a moment to see that all is authorized gets it.
        """
        await self.opens()
        self.authority.instead = lambda what: (
            refusal(403, "orderNotReady", "not yet")
            if what == "finalize" and self.authority.asked[what] <= 2
            else None
        )
        await self.succeeds()

    async def test_unknownKinds(self) -> None:
        """
        Challenges of unknown kinds, and things that are no challenges, are
        passed over.
        """
        await self.opens()

        def spoil(what: str, reply: Reply) -> Reply:
            if what == "authorization" and isinstance(reply.body, dict):
                odd = [{"type": "smoke-signal-01", "url": "https://ca.example/"}, 7, None, "x", {}]
                reply.body = {**reply.body, "challenges": odd + reply.body["challenges"]}
            return reply

        self.authority.spoil = spoil
        await self.succeeds()

    async def test_noSpareNonces(self) -> None:
        """
        An authority that gives nonces only where they are asked for is asked
        for each.
        """
        await self.opens()

        def spoil(what: str, reply: Reply) -> Reply:
            if what != "nonce":
                reply.fields["Replay-Nonce"] = ""
            return reply

        self.authority.spoil = spoil
        await self.succeeds()
        self.assertGreater(self.authority.asked["nonce"], 8)


class LastingFaultTests(FaultStory):
    """
    What lasts is told as what it is.
    """

    async def test_errors(self) -> None:
        """
        Errors that last, at whatever step, are given up after a while: the
        authority is as good as away.
        """
        self.patch(issuance, "_OUTAGE", 0.1)
        for what in (
            *("directory", "nonce", "account", "order"),
            *("authorization", "challenge", "finalize", "certificate"),
        ):
            await self.opens()
            self.authority.fails(what, 10**9, status=503 if what == "order" else 500)
            why = await self.failsWith(AuthorityUnreachable)
            self.assertRegex(str(why), r"answers with status 50[03]")
            self.assertLessEqual(self.authority.orders, 1)

    async def test_html(self) -> None:
        """
        A page in place of what was asked for, at whatever step, is nonsense.
        """
        for what in ("directory", "account", "order", "authorization", "finalize", "certificate"):
            await self.opens()
            self.authority.instead = lambda asked, what=what: (
                Reply(200, HTML.body, dict(HTML.fields)) if asked == what else None
            )
            await self.failsWith(AuthorityNonsense)

    async def test_strangeStatus(self) -> None:
        """
        A status without a problem document is nonsense that names the status.
        """
        for what, status in (("directory", 404), ("order", 302), ("account", 403), ("certificate", 410)):
            await self.opens()
            self.authority.instead = lambda asked, what=what, status=status: (
                Reply(status, b"{}") if asked == what else None
            )
            self.assertIn(f"status {status}", str(await self.failsWith(AuthorityNonsense)))

    async def test_nonceStorm(self) -> None:
        """
        An authority that takes no nonce at all is not asked for ever.
        """
        await self.opens(nonceReject=1.0)
        why = await self.failsWith(AuthorityProblem)
        self.assertEqual(why.problem.word, "badNonce")
        self.assertLess(self.authority.requests, 25)

    async def test_noNonces(self) -> None:
        """
        An authority that gives no nonce is told to be none.
        """
        await self.opens()

        def spoil(what: str, reply: Reply) -> Reply:
            reply.fields["Replay-Nonce"] = "not base64url"
            return reply

        self.authority.spoil = spoil
        self.assertIn("Replay-Nonce", str(await self.failsWith(AuthorityNonsense)))

    async def test_orderGone(self) -> None:
        """
        An order, an authorization or a certificate that is not there any more
        ends it with the authority's words.
        """
        for what in ("authorization", "challenge", "finalize", "certificate"):
            await self.opens()
            self.authority.instead = lambda asked, what=what: (
                refusal(404, "malformed", "no such thing") if asked == what else None
            )
            self.assertIn("no such thing", str(await self.failsWith(AuthorityProblem)))

    async def test_rateLimit(self) -> None:
        """
        What the authority says of limits, and how long to wait, is handed on.
        """
        await self.opens()

        def instead(what: str) -> Reply | None:
            if what != "order":
                return None
            reply = refusal(429, "rateLimited", "too many certificates for site.example")
            reply.fields["Retry-After"] = "3600"
            return reply

        self.authority.instead = instead
        why = await self.failsWith(AuthorityProblem)
        self.assertEqual((why.problem.word, why.retryAfter), ("rateLimited", 3600.0))
        self.assertEqual(self.authority.asked["order"], 1)

    async def test_subproblems(self) -> None:
        """
        What the authority says of single names of an order is kept.
        """
        await self.opens()
        within = [
            {
                "type": "urn:ietf:params:acme:error:caa",
                "detail": "forbidden by CAA",
                "identifier": {"type": "dns", "value": "b.example"},
            }
        ]
        self.authority.instead = lambda what: (
            refusal(403, "compound", "Some were refused", subproblems=within) if what == "order" else None
        )
        why = await self.failsWith(AuthorityProblem)
        self.assertEqual([(each.name, each.word) for each in why.subproblems], [("b.example", "caa")])
        self.assertIn("b.example: forbidden by CAA (caa)", str(why))

    async def test_busyForLong(self) -> None:
        """
        An authority that is busy and asks for more patience than an order has
        is left alone, and its wish handed on.
        """
        await self.opens()

        def instead(what: str) -> Reply | None:
            return Reply(503, b"busy", {"Retry-After": "900"}) if what == "authorization" else None

        self.authority.instead = instead
        self.assertEqual((await self.failsWith(AuthorityUnreachable)).retryAfter, 900.0)
        self.assertLessEqual(self.authority.asked["authorization"], 2)

    async def test_neverDecided(self) -> None:
        """
        What stays undecided is given up, in the name of what it is about.
        """
        self.patch(issuance, "_PATIENCE", 0.2)
        await self.opens()
        self.authority.says("authorization", status="pending")
        self.assertRegex(str(await self.failsWith(AuthorityUndecided)), "about [ab].example")
        self.patch(issuance, "_PATIENCE", 60)
        await self.opens()

        def spoil(what: str, reply: Reply) -> Reply:
            if what in ("finalize", "an order") and isinstance(reply.body, dict):
                # From now on, when all else is decided.
                self.patch(issuance, "_PATIENCE", 0.2)
                reply.body["status"] = "processing"
            return reply

        self.authority.spoil = spoil
        self.assertIn("about the order", str(await self.failsWith(AuthorityUndecided)))

    async def test_circles(self) -> None:
        """
        An order that is ready again and again is not followed for ever.
        """
        await self.opens()
        self.authority.says("finalize", status="ready")
        self.authority.instead = lambda what: (
            refusal(403, "orderNotReady", "no") if self.authority.asked["finalize"] > 1 else None
        )
        await self.failsWith(AuthorityProblem)
        await self.opens()
        said: dict[str, Any] = {}

        def spoil(what: str, reply: Reply) -> Reply:
            if what == "order" and isinstance(reply.body, dict):
                said.update(reply.body, status="ready")
            return Reply(200, said) if what in ("finalize", "an order") else reply

        self.authority.spoil = spoil
        self.assertIn("circles", str(await self.failsWith(AuthorityNonsense)))

    async def test_respondRefused(self) -> None:
        """
        An authority that will not hear that a challenge is answered says why.
        """
        await self.opens()
        self.authority.instead = lambda what: (
            refusal(403, "unauthorized", "not you") if what == "challenge" else None
        )
        why = await self.failsWith(AuthorityProblem)
        self.assertRegex(str(why), "proving [ab].example: not you")

    async def test_onlyUnknownKinds(self) -> None:
        """
        When nothing that is offered is known, that is what is said.
        """
        await self.opens()
        self.authority.says(
            "authorization", challenges=[{"type": "smoke-signal-01", "url": "https://ca.example/"}]
        )
        self.assertIn("smoke-signal-01", str(await self.failsWith(NoChallengeUsable)))

    async def test_plainURLs(self) -> None:
        """
        No URL that is not https is followed.
        """
        for what, members in (
            ("directory", {"newOrder": "http://127.0.0.1:1/"}),
            ("order", {"finalize": "ftp://127.0.0.1/"}),
            ("order", {"authorizations": ["file:///etc/passwd"]}),
        ):
            await self.opens()
            self.authority.says(what, **members)
            self.assertIn("https", str(await self.failsWith(AuthorityNonsense)))


class CertificateFaultTests(FaultStory):
    """
    Nothing is installed that could not be served.
    """

    async def certificate(self, make: Callable[[bytes], bytes]) -> str:
        await self.opens()

        def spoil(what: str, reply: Reply) -> Reply:
            if what == "certificate" and isinstance(reply.body, bytes):
                reply.body = make(reply.body)
            return reply

        self.authority.spoil = spoil
        return str(await self.failsWith(AuthorityNonsense))

    async def test_damaged(self) -> None:
        """
        A chain that is empty, cut, or no PEM.
        """
        for make in (
            lambda chain: b"",
            lambda chain: chain[:-40],
            lambda chain: chain[:300],
            lambda chain: b"\0" * 100,
            lambda chain: chain.replace(b"A", b"B"),
        ):
            await self.certificate(make)

    async def test_anothers(self) -> None:
        """
        A good certificate for another key.
        """
        other = Signer.create("Another").issue(["a.example", "b.example"], lifetime=3600.0)
        self.assertIn("private key", await self.certificate(lambda chain: other.chain))

    async def test_otherNames(self) -> None:
        """
        A certificate that lacks a name.
        """
        await self.opens()
        sign = Signer.sign

        def signLess(self: Signer, request: bytes, names: Any, **when: Any) -> bytes:
            return sign(self, request, ["a.example"], **when)

        self.patch(Signer, "sign", signLess)
        self.assertIn("not for b.example", str(await self.failsWith(AuthorityNonsense)))


class OwnFaultTests(FaultStory):
    """
    What goes wrong on our side.
    """

    async def test_workersDie(self) -> None:
        """
        When one answer of several cannot be served, all are withdrawn, and the
        authority is told of none.
        """
        await self.opens()
        present = self.plane.present

        def presentFirst(challenge: Any) -> Deferred[None]:
            return present(challenge) if challenge.name == "a.example" else fail(OSError("gone"))

        self.plane.present = presentFirst  # type: ignore[method-assign]
        await self.failsWith(issuance.ChallengeNotServed)
        self.assertEqual(self.authority.asked["challenge"], 0)

    async def test_notWithdrawn(self) -> None:
        """
        An answer that cannot be withdrawn is noted, and takes nothing away.
        """
        await self.opens()
        self.plane.withdraw = lambda challenge: fail(OSError("gone"))  # type: ignore[method-assign]
        await self.issuer("http-01").obtain(("a.example",), self.install)
        self.assertEqual(len(self.installed), 1)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    async def test_slowToPresent(self) -> None:
        """
        The authority hears of no challenge while any worker is still taking
        one up; given up just then, all are withdrawn.
        """
        await self.opens()
        slow: Deferred[None] = Deferred()
        present = self.plane.present

        def presentSlowly(challenge: Any) -> Deferred[None]:
            done = present(challenge)
            return slow if challenge.name == "b.example" else done

        self.plane.present = presentSlowly  # type: ignore[method-assign]
        obtaining = self.issuer("http-01").obtain(("a.example", "b.example"), self.install)
        while len(self.plane.presented) < 2:
            await self.turn()
        for _ in range(5):
            await self.turn()
        self.assertEqual(self.authority.asked["challenge"], 0)
        obtaining.cancel()
        await self.assertFailure(obtaining, CancelledError)
        self.assertEqual(self.plane.presented, [])

    def turn(self) -> Deferred[None]:
        turned: Deferred[None] = Deferred()
        reactor.callLater(0.002, turned.callback, None)  # type: ignore[attr-defined]
        return turned
