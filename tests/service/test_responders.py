"""
Tests for L{smartproxy_tw.service.responders}.
"""

from __future__ import annotations

from typing import Any

from acme import challenges
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from txacme.interfaces import IResponder
from txacme.testing import NullResponder
from zope.interface import implementer

from smartproxy_tw.acme.challenges import answer
from smartproxy_tw.config.model import Acme
from smartproxy_tw.facts import DNS01, HTTP01
from smartproxy_tw.records.errors import RecordFailed
from smartproxy_tw.service.presenting import Presenter
from smartproxy_tw.service.responders import START_PATIENCE, STOP_PATIENCE, Respondents
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.testing.fakes import FakePlane, Story

from .configurations import SHOP, configuration

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
AUTHORIZATION = f"{TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"


@implementer(IResponder)
class Responder:
    """
    Notes its calls, and answers them as it was told to.
    """

    def __init__(self, kind: str) -> None:
        self.challenge_type = kind
        self.calls: list[tuple[str, str, Any, Any]] = []
        self.answers: Any = lambda: None

    def start_responding(self, server_name: str, challenge: Any, response: Any) -> Any:
        self.calls.append(("start", server_name, challenge, response))
        return self.answers()

    def stop_responding(self, server_name: str, challenge: Any, response: Any) -> Any:
        self.calls.append(("stop", server_name, challenge, response))
        return self.answers()


class RespondentTests(SynchronousTestCase):
    """
    One responder for each kind, and what becomes of its answers.
    """

    def setUp(self) -> None:
        self.clock, self.plane = Clock(), FakePlane(Story())
        self.dns, self.http = Responder("dns-01"), Responder("http-01")
        found = Respondents(self.clock, [self.dns, self.http])
        self.presenter = Presenter(self.plane, found.records, found.http)
        self.record = answer("dns-01", "a.test", TOKEN, AUTHORIZATION)
        self.file = answer("http-01", "a.test", TOKEN, AUTHORIZATION)

    def test_dns(self) -> None:
        """
        It is given what txacme would give it, and can make the record of it.
        """
        for deed in (self.presenter.present, self.presenter.recall, self.presenter.withdraw):
            self.successResultOf(deed(self.record))
        self.assertEqual([call[:2] for call in self.dns.calls], [("start", "a.test"), ("stop", "a.test")])
        _, _, challenge, response = self.dns.calls[0]
        self.assertIsInstance(challenge, challenges.DNS01)
        self.assertIsInstance(response, challenges.DNS01Response)
        self.assertEqual(challenge.encode("token"), TOKEN)
        self.assertEqual(response.key_authorization, AUTHORIZATION)
        self.assertEqual(self.dns.calls[1][2:], (challenge, response))

    def test_http(self) -> None:
        """
        Besides it the data path answers, also what an earlier process presented.
        """
        self.successResultOf(self.presenter.present(self.file))
        _, name, challenge, response = self.http.calls.pop()
        self.assertEqual((name, challenge.path), ("a.test", f"/.well-known/acme-challenge/{TOKEN}"))
        self.assertIsInstance(response, challenges.HTTP01Response)
        self.assertEqual(self.plane.presented, [HTTP01("a.test", TOKEN, AUTHORIZATION)])
        self.successResultOf(self.presenter.withdraw(self.file))
        self.assertEqual((self.http.calls.pop()[0], self.plane.presented), ("stop", []))
        self.http.answers = Deferred
        self.successResultOf(self.presenter.recall(self.file))
        self.assertEqual((self.http.calls[0][0], self.plane.presented), ("start", [self.file]))
        self.clock.advance(START_PATIENCE)

    def test_ofOthersNothing(self) -> None:
        """
        What it is not for goes by it: tls-alpn-01 is the data path's.
        """
        self.successResultOf(self.presenter.present(answer("tls-alpn-01", "a.test", TOKEN, AUTHORIZATION)))
        self.assertEqual((self.dns.calls, self.http.calls, len(self.plane.presented)), ([], [], 1))

    def test_waitedFor(self) -> None:
        """
        The authority is told only once its Deferred has fired, with whatever.
        """
        ready: Deferred[str] = Deferred()
        self.dns.answers = lambda: ready
        presented = self.presenter.present(self.record)
        self.assertNoResult(presented)
        ready.callback("there")
        self.assertIsNone(self.successResultOf(presented))

    def test_fails(self) -> None:
        """
        However it fails, it says who did, for what, and why; a cancellation of its
        own is not taken for an end of the order.
        """

        def breaks() -> None:
            raise KeyError("zone")

        for answers, why in (
            (breaks, "KeyError: 'zone'"),
            (lambda: fail(SystemExit("enough.")), "SystemExit: enough"),
            (lambda: fail(CancelledError()), "CancelledError"),
        ):
            self.dns.answers = answers
            said = str(self.failureResultOf(self.presenter.present(self.record), RecordFailed).value)
            self.assertIn("Responder.start_responding for a.test failed", said)
            self.assertIn(why, said)

    def test_silent(self) -> None:
        """
        One that never answers is given up, to begin with as to end, and holds up
        nobody else; that it answers after all changes nothing.
        """
        self.dns.answers = lambda: Deferred(lambda _: None)
        presented = self.presenter.present(self.record)
        self.successResultOf(self.presenter.present(self.file))
        self.clock.advance(START_PATIENCE)
        self.assertIn("within 120 s", str(self.failureResultOf(presented, RecordFailed).value))
        withdrawn = self.presenter.withdraw(self.record)
        self.clock.advance(STOP_PATIENCE)
        self.assertIn("within 30 s", str(self.failureResultOf(withdrawn, RecordFailed).value))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """
        An order that is given up does not wait for it.
        """
        self.dns.answers = Deferred
        presented = self.presenter.present(self.record)
        presented.cancel()
        self.failureResultOf(presented, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_recallFails(self) -> None:
        """
        What cannot be presented anew is logged, and ends no start.
        """
        self.http.answers = lambda: fail(OSError("gone"))
        self.successResultOf(self.presenter.recall(self.file))

    def test_oddToken(self) -> None:
        """
        A token that txacme's objects would change is told to nobody.
        """
        for token in ("a" * 21, "a" * 21 + "x", "%" * 22):
            failed = self.presenter.present(DNS01("a.test", "text", token, f"{token}.k"))
            self.assertIn("token", str(self.failureResultOf(failed, RecordFailed).value))
        self.assertEqual(self.dns.calls, [])


class HandedInTests(SynchronousTestCase):
    """
    What is taken for a responder, and what it changes.
    """

    def test_txacmes(self) -> None:
        """
        txacme's own is used; of two for one kind, the first.
        """
        found = Respondents(Clock(), [NullResponder("http-01"), Responder("http-01")])
        assert found.http is not None
        self.assertIsNone(found.records)
        self.assertIsNone(self.successResultOf(found.http.start(HTTP01("a.test", TOKEN, AUTHORIZATION))))

    def test_undeclared(self) -> None:
        """
        Without a declaration it is one all the same.
        """

        class Plain:
            challenge_type = "dns-01"
            start_responding = stop_responding = staticmethod(lambda *_: succeed(None))

        plain: Any = Plain()
        self.assertIsNotNone(Respondents(Clock(), [plain]).records)

    def test_refused(self) -> None:
        """
        What is none, or for what nobody but the proxy can answer, is refused at once.
        """
        odd: Any = object()
        why = self.assertRaises(ValueError, Respondents, Clock(), [odd])
        self.assertIn("it has no challenge_type, start_responding, stop_responding", str(why))
        for kind in ("tls-alpn-01", "tls-sni-01"):
            why = self.assertRaises(ValueError, Respondents, Clock(), [NullResponder(kind)])
            self.assertIn(f"answers {kind}", str(why))

    def test_preferred(self) -> None:
        """
        With one for dns-01 names are proved by that first; a place that the
        configuration gives it stays its place.
        """
        plain = configuration(self.mktemp(), SHOP)
        one = NullResponder("dns-01")
        chosen = SmartProxy(plain, Clock(), responders=[one]).config.acme.challenges
        self.assertEqual(chosen, ("dns-01", "http-01", "tls-alpn-01"))
        http = SmartProxy(plain, Clock(), responders=[NullResponder("http-01")])
        self.assertIs(http.config, plain)
        last = configuration(self.mktemp(), SHOP, acme=Acme(challenges=("http-01", "dns-01")))
        self.assertIs(SmartProxy(last, Clock(), responders=[one]).config, last)
