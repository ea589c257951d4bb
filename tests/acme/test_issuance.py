"""
Tests for L{smartproxy_tw.acme.issuance}: what an order does, and how long it waits.  Whole orders
over real connections are in L{tests.acme.test_issuer}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.choices import Choices
from smartproxy_tw.acme.entry import Entry
from smartproxy_tw.acme.errors import (
    AuthorityNonsense,
    AuthorityNotTrusted,
    AuthorityProblem,
    AuthorityUndecided,
    AuthorityUnreachable,
    ChallengeNotServed,
    Problem,
)
from smartproxy_tw.acme.issuance import Issuance
from smartproxy_tw.acme.journal import Journal
from smartproxy_tw.acme.objects import AuthorizationFacts, Offer, OrderFacts
from smartproxy_tw.acme.x509 import Signer
from smartproxy_tw.facts import Credential
from smartproxy_tw.testing.fakes import FakePlane, Story

NOW = 1_800_000_000.0
SIGNER = Signer.create("Test root", now=NOW - 86400.0)
NAMES = ("a.example", "b.example")
CREDENTIAL = SIGNER.issue(list(NAMES), lifetime=90 * 86400.0, now=NOW)
URL = "https://ca.example/order"
AWAY = AuthorityUnreachable("https://ca.example/", "silence")
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"


def refusal(word: str, retryAfter: float | None = None) -> AuthorityProblem:
    """
    The authority says no.
    """
    problem = Problem(f"urn:ietf:params:acme:error:{word}", "no", 403)
    return AuthorityProblem("finalizing", problem, retryAfter=retryAfter)


class Client:
    """
    One whose authority agrees to everything, unless the test says otherwise.

    @ivar fails: What a deed fails with next, by its name.
    @ivar thinks: Whether it decides nothing.
    """

    def __init__(self, story: Story) -> None:
        self.story = story
        self.key: Any = self
        self.thumbprint = "thumb"
        self.fails: dict[str, list[Exception]] = {}
        self.thinks = False
        self.isLost = False
        self.statuses: dict[str, Any] = dict.fromkeys(NAMES, "pending")
        self.status: Any = "pending"
        self.chain = CREDENTIAL.chain

    def order(self) -> OrderFacts:
        """
        As it is now.
        """
        if self.status == "pending" and set(self.statuses.values()) == {"valid"}:
            self.status = "ready"
        certificate = f"{URL}/certificate" if self.status == "valid" else None
        return OrderFacts(URL, self.status, NAMES, NAMES, f"{URL}/finalize", certificate)

    def does(self, verb: str, line: str) -> None:
        """
        It is asked.
        """
        self.story.tell(line)
        if self.fails.get(verb):
            raise self.fails[verb].pop(0)

    async def readAuthorization(self, url: str) -> AuthorizationFacts:
        """
        By its name here.
        """
        self.does("readAuthorization", f"read {url}")
        status = self.statuses[url]
        offer = Offer("http-01", f"{url}/http-01", TOKEN, "pending" if status == "pending" else status)
        return AuthorizationFacts(url, url, status, (offer,))

    async def respond(self, url: str, name: str) -> None:
        """
        The authority may look.
        """
        self.does("respond", f"told of {name}")
        if not self.thinks:
            self.statuses[name] = "valid"

    async def readOrder(self, url: str) -> OrderFacts:
        """
        How it stands.
        """
        self.does("readOrder", "read the order")
        if self.status == "processing" and not self.thinks:
            self.status = "valid"
        return self.order()

    async def finalize(self, own: str, url: str, request: bytes) -> OrderFacts:
        """
        Issue.
        """
        if self.isLost:
            self.status = "processing"
        self.does("finalize", "finalized")
        self.status = "processing" if self.thinks else "valid"
        return self.order()

    async def download(self, url: str) -> bytes:
        """
        The chain.
        """
        self.does("download", "downloaded")
        return self.chain


class IssuanceTests(SynchronousTestCase):
    """
    L{Issuance}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.story = Story()
        self.plane = FakePlane(self.story)
        self.client = Client(self.story)
        self.journal = Journal()
        entry = Entry("https://ca.example/", NAMES, CREDENTIAL.key, 0.0)
        self.successResultOf(self.journal.begin(entry))
        self.choices = Choices(("http-01",))
        self.observed: list[str] = []

    def run_(self, names: tuple[str, ...] = NAMES, install: Any = None) -> Deferred[Credential]:
        """
        Go through with it.
        """
        client: Any = self.client
        plane: Any = self.plane
        issuance = Issuance(
            self.clock,
            client,
            plane,
            names,
            self.choices,
            lambda milestone, **_: self.observed.append(milestone),
            key=CREDENTIAL.key,
            journal=self.journal,
            presented=[],
        )
        return Deferred.fromCoroutine(issuance.run(self.client.order(), install or self.install))

    def install(self, credential: Credential) -> Deferred[None]:
        """
        Serve it.
        """
        return self.plane.install("key", credential)

    def fails(self, running: Deferred[Credential], kind: type[Exception]) -> Exception:
        """
        It comes to nothing, and nothing is left of it where authorities look.
        """
        why = self.failureResultOf(running, kind).value
        self.assertEqual(self.plane.presented, [])
        self.assertEqual(self.plane.installed, {})
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return why

    def passes(self, seconds: float) -> None:
        """
        Time.
        """
        for _ in range(int(seconds * 4)):
            self.clock.advance(0.25)

    def test_order(self) -> None:
        """
        Presented before the authority is told, installed before the answers are withdrawn.
        """
        self.assertEqual(self.successResultOf(self.run_()), CREDENTIAL)
        self.assertEqual(
            self.story.lines,
            [
                "read a.example",
                "read b.example",
                "presented http-01 a.example",
                "presented http-01 b.example",
                "told of a.example",
                "read a.example",
                "told of b.example",
                "read b.example",
                "finalized",
                "downloaded",
                "installed key",
                "withdrew http-01 a.example",
                "withdrew http-01 b.example",
            ],
        )
        self.assertEqual(self.observed, ["presented", "authorized", "issued"])
        (entry,) = self.journal.entries
        self.assertEqual([each.name for each in entry.answers], list(NAMES))

    def test_presentedLate(self) -> None:
        """
        As long as one answer is not served the authority is told of none.
        """
        self.plane.holds("present")
        running = self.run_()
        self.assertFalse(self.story.has("told"))
        self.plane.finishes("present")
        self.successResultOf(running)

    def test_installedLate(self) -> None:
        """
        As long as the certificate is not served the answers stay.
        """
        self.plane.holds("install")
        running = self.run_()
        self.assertFalse(self.story.has("withdrew"))
        self.plane.finishes("install")
        self.successResultOf(running)
        self.assertEqual(self.plane.presented, [])

    def test_notPresented(self) -> None:
        """
        What cannot be presented is told, all is withdrawn, and another way is preferred next time.
        """
        self.choices = Choices(("http-01", "tls-alpn-01"))
        self.plane.breaks("present", OSError("no room."))
        why = self.fails(self.run_(), ChallengeNotServed)
        self.assertIn("no room", str(why))
        self.assertEqual(self.choices.of("a.example"), ("tls-alpn-01", "http-01"))
        self.assertFalse(self.story.has("told"))

    def test_notInstalled(self) -> None:
        """
        What the data path does not take fails the order, and the answers are withdrawn.
        """
        why = OSError("no room")
        self.assertIs(self.fails(self.run_(install=lambda _: fail(why)), OSError), why)

    def test_notWithdrawn(self) -> None:
        """
        An answer that cannot be withdrawn costs no certificate.
        """
        self.plane.breaks("withdraw", OSError("no room"))
        self.successResultOf(self.run_())
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)

    def test_cancelled(self) -> None:
        """
        Whoever gives it up, at whichever point, has its answers withdrawn.
        """
        for verb in ("present", "install"):
            self.setUp()
            self.plane.holds(verb)
            running = self.run_()
            running.cancel()
            self.fails(running, CancelledError)
        self.setUp()
        self.client.thinks = True
        running = self.run_()
        self.passes(1)
        running.cancel()
        self.fails(running, CancelledError)

    def test_undecided(self) -> None:
        """
        An authority that does not come to a decision is waited for some minutes.
        """
        self.client.thinks = True
        running = self.run_()
        self.passes(170)
        self.assertNoResult(running)
        self.passes(40)
        self.fails(running, AuthorityUndecided)

    def test_decidesLate(self) -> None:
        """
        One that takes its time gives the certificate when it has one.
        """
        self.client.thinks = True
        running = self.run_()
        self.passes(60)
        self.client.statuses = dict.fromkeys(NAMES, "valid")
        self.passes(60)
        self.assertEqual(self.story.lines[-1], "read the order")
        self.client.thinks = False
        self.passes(60)
        self.successResultOf(running)

    def test_awayForAMoment(self) -> None:
        """
        What gets no answer is asked again, whatever it was.
        """
        for verb in ("readAuthorization", "respond", "finalize", "download"):
            self.setUp()
            self.client.fails[verb] = [AWAY, AWAY]
            running = self.run_()
            self.passes(30)
            self.successResultOf(running)
            self.assertEqual(self.client.fails[verb], [])

    def test_awayForLong(self) -> None:
        """
        For a minute, and no longer.
        """
        self.client.fails["download"] = [AWAY] * 1000
        running = self.run_()
        self.passes(20)
        self.assertNoResult(running)
        self.passes(50)
        self.assertIs(self.fails(running, AuthorityUnreachable), AWAY)

    def test_wantsToBeLeftAlone(self) -> None:
        """
        For how long it asks to be left alone is waited in the midst of an order, unless that is
        longer than an order waits at all.
        """
        busy = AuthorityUnreachable("https://ca.example/", "status 503", retryAfter=30.0)
        self.client.fails["download"] = [busy]
        running = self.run_()
        self.passes(29)
        self.assertNoResult(running)
        self.passes(2)
        self.successResultOf(running)
        self.setUp()
        self.client.fails["download"] = [AuthorityUnreachable("https://ca.example/", "503", retryAfter=61.0)]
        self.fails(self.run_(), AuthorityUnreachable)

    def test_somebodyElse(self) -> None:
        """
        Somebody else in its place is not asked twice.
        """
        for verb in ("download", "finalize"):
            self.setUp()
            why = AuthorityNotTrusted("https://ca.example/", "another's certificate")
            self.client.fails[verb] = [why]
            self.assertIs(self.fails(self.run_(), AuthorityNotTrusted), why)

    def test_heardAllTheSame(self) -> None:
        """
        A request for the certificate whose answer was lost is not sent again when it was heard.
        """
        self.client.isLost = True
        self.client.fails["finalize"] = [AWAY]
        running = self.run_()
        self.passes(10)
        self.successResultOf(running)
        self.assertEqual(self.story.lines.count("finalized"), 1)

    def test_toldAlready(self) -> None:
        """
        That the authority will not hear of a challenge does not matter where it has looked at it.
        """
        self.client.fails["respond"] = [refusal("malformed")]
        self.client.statuses = {"a.example": "pending", "b.example": "valid"}
        self.fails(self.run_(), AuthorityProblem)
        self.setUp()
        self.client.fails["respond"] = [refusal("malformed")]
        self.client.statuses = {"a.example": "pending", "b.example": "valid"}
        original = self.client.respond

        async def respond(url: str, name: str) -> None:
            self.client.statuses[name] = "valid"
            await original(url, name)

        self.patch(self.client, "respond", respond)
        self.successResultOf(self.run_())

    def test_notReady(self) -> None:
        """
        An order that is not ready yet, although all is proved, is looked at again after a while,
        which the authority may name.
        """
        self.client.fails["finalize"] = [refusal("orderNotReady")]
        running = self.run_()
        self.assertNoResult(running)
        self.passes(10)
        self.successResultOf(running)
        self.setUp()
        why = refusal("badCSR")
        self.client.fails["finalize"] = [why]
        self.assertIs(self.fails(self.run_(), AuthorityProblem), why)

    def test_circle(self) -> None:
        """
        One that is never ready is given up.
        """
        self.client.fails["finalize"] = [refusal("orderNotReady")] * 1000
        running = self.run_()
        self.passes(600)
        self.failureResultOf(running)
        self.assertEqual(self.plane.presented, [])

    def test_nonsense(self) -> None:
        """
        A certificate that is for other names, or of another key, is not installed.
        """
        self.client.chain = SIGNER.issue(list(NAMES), lifetime=90 * 86400.0, now=NOW).chain
        self.fails(self.run_(), AuthorityNonsense)
        self.setUp()
        self.fails(self.run_((*NAMES, "c.example")), AuthorityNonsense)
