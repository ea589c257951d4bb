"""
Tests for L{smartproxy_tw.testing.fakes}: that they keep to the contracts that
they stand for.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ServerFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.acme.x509 import Signer, describe
from smartproxy_tw.config.model import Config
from smartproxy_tw.facts import HTTP01, Credential
from smartproxy_tw.interfaces import IPlane
from smartproxy_tw.testing.fakes import FakeAuthority, FakeListen, FakePlane, FakePort, Story

CREDENTIAL = Credential(b"chain", b"key")


class StoryTests(SynchronousTestCase):
    """
    What happened.
    """

    def test_order(self) -> None:
        """
        Lines have a position, and one that is missing is an assertion.
        """
        story = Story()
        story.tell("one")
        story.tell("two and more")
        self.assertLess(story.position("one"), story.position("two and more"))
        self.assertRaises(AssertionError, story.position, "three")
        self.assertTrue(story.has("two"))
        self.assertFalse(story.has("three"))


class FakeListenTests(SynchronousTestCase):
    """
    Ports.
    """

    def setUp(self) -> None:
        self.story = Story()
        self.listen = FakeListen(self.story)

    def test_port(self) -> None:
        """
        A port is what Twisted calls one.
        """
        port = self.successResultOf(self.listen("127.0.0.1", 80, ServerFactory()))
        verifyObject(IListeningPort, port)
        self.assertEqual(port.getHost().port, 80)
        self.assertEqual(self.listen.open, [80])
        port.startListening()
        port.stopReading()
        self.assertFalse(port.isReading)
        self.successResultOf(port.stopListening())
        self.assertEqual(self.listen.open, [])

    def test_hesitation(self) -> None:
        """
        One that hesitates answers when it is told how.
        """
        self.listen.hesitates(80)
        self.listen.hesitates(81)
        one, two = (self.listen("::1", number, ServerFactory()) for number in (80, 81))
        self.assertNoResult(one)
        self.listen.opens(80)
        self.assertIsInstance(self.successResultOf(one), FakePort)
        self.listen.refusesNow(81)
        self.failureResultOf(two, CannotListenError)

    def test_refusal(self) -> None:
        """
        One that refuses fails as Twisted does.
        """
        self.listen.refuses(80)
        why = self.failureResultOf(self.listen("::1", 80, ServerFactory()), CannotListenError).value
        self.assertEqual(why.socketError.strerror, "Address already in use")


class FakePlaneTests(SynchronousTestCase):
    """
    A data path.
    """

    def setUp(self) -> None:
        self.plane = FakePlane(Story())

    def test_contract(self) -> None:
        """
        It provides the whole vocabulary, and each word works.
        """
        verifyObject(IPlane, self.plane)
        port = FakePort(Story(), "::1", 80)
        config = Config((), "/nowhere")
        challenge = HTTP01("a.test", "t", "k")
        for done in (
            self.plane.start(),
            self.plane.useTable(config),
            self.plane.adopt(port, 80),
            self.plane.install("key", CREDENTIAL),
            self.plane.present(challenge),
        ):
            self.successResultOf(done)
        self.assertEqual((self.plane.config, self.plane.adopted), (config, [80]))
        self.assertEqual((self.plane.installed, self.plane.presented), ({"key": CREDENTIAL}, [challenge]))
        self.successResultOf(self.plane.withdraw(challenge))
        self.successResultOf(self.plane.withdraw(challenge))
        self.successResultOf(self.plane.release(port))
        self.assertEqual((self.plane.presented, self.plane.adopted), ([], []))
        self.assertEqual(self.successResultOf(self.plane.drain(1.0)), 0)
        self.assertEqual(self.successResultOf(self.plane.tally()), {})

    def test_holds(self) -> None:
        """
        What is held has not happened until it is finished, and never happens
        for one who lost interest.
        """
        self.plane.holds("install")
        one, two = self.plane.install("one", CREDENTIAL), self.plane.install("two", CREDENTIAL)
        two.cancel()
        self.failureResultOf(two, CancelledError)
        self.assertEqual(self.plane.installed, {})
        self.plane.finishes("install")
        self.successResultOf(one)
        self.assertEqual(list(self.plane.installed), ["one"])

    def test_breaks(self) -> None:
        """
        What breaks fails until it is mended; a credential can be found
        unusable.
        """
        self.plane.breaks("start", RuntimeError())
        self.failureResultOf(self.plane.start(), RuntimeError)
        self.plane.mends("start")
        self.successResultOf(self.plane.start())
        self.plane.rejects(CREDENTIAL, "too small")
        self.failureResultOf(self.plane.install("key", CREDENTIAL), ValueError)


class FakeAuthorityTests(SynchronousTestCase):
    """
    An authority that is asked for whole certificates.
    """

    def setUp(self) -> None:
        self.story = Story()
        self.plane = FakePlane(self.story)
        signer = Signer.create("Test root", now=0.0)
        self.authority = FakeAuthority(self.story, self.plane, signer, lambda: 1000.0)
        self.installed: list[Credential] = []

    def order(self, *names: str) -> Deferred[Credential]:
        """
        Ask for a certificate.
        """

        def install(credential: Credential) -> Deferred[None]:
            self.installed.append(credential)
            self.story.tell("installed")
            return succeed(None)

        return self.authority.obtain(names or ("a.test",), install)

    def test_agrees(self) -> None:
        """
        It issues, in the order of an order.
        """
        self.authority.agrees(lifetime=60.0)
        credential = self.successResultOf(self.order())
        self.assertEqual(describe(credential.chain).notAfter, 1060.0)
        self.assertEqual(self.installed, [credential])
        self.assertEqual(
            self.story.lines,
            ["asked for a.test", "presented http-01 a.test", "installed", "withdrew http-01 a.test"],
        )

    def test_decidesAboutSome(self) -> None:
        """
        It may answer one order and go on thinking about another.
        """
        self.authority.thinks()
        first, second = self.order("a.example"), self.order("b.example")
        self.authority.decides(("b.example",))
        self.assertNoResult(first)
        self.successResultOf(second)
        self.authority.decides()
        self.successResultOf(first)

    def test_takes(self) -> None:
        """
        It may take only so many names in one order.
        """
        self.authority.takes(1)
        self.successResultOf(self.order("a.example"))
        why = self.failureResultOf(self.order("a.example", "b.example")).value
        self.assertIn("more than 1 identifiers", str(why))

    def test_thinks(self) -> None:
        """
        It takes its time when told to; who cancels leaves no challenge behind.
        """
        self.authority.thinks()
        one, two = self.order(), self.order()
        two.cancel()
        self.failureResultOf(two, CancelledError)
        self.assertNoResult(one)
        self.authority.decides()
        self.successResultOf(one)
        self.assertEqual(self.plane.presented, [])
        self.assertEqual(self.authority.orders[("a.test",)], 2)

    def test_refuses(self) -> None:
        """
        It refuses when told to.
        """
        self.authority.refuses(OSError("no"))
        self.failureResultOf(self.order(), OSError)
        self.assertEqual(self.installed, [])
        self.assertEqual(self.plane.presented, [])
