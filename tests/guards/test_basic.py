"""
Tests for L{smartproxy_tw.guards.basic}.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.security import BasicAuth
from smartproxy_tw.guards.basic import Basic
from smartproxy_tw.guards.verifier import Verifier

from ..examples import examples
from .test_verifier import ARGON2, BCRYPT, Desk
from .visiting import Arrival

_ANYTHING = st.one_of(
    st.binary(max_size=60).map(lambda data: data.decode("latin-1")),
    st.binary(max_size=40).map(lambda data: "Basic " + b64encode(data).decode()),
)


def shown(user: str, password: str) -> tuple[str, str]:
    """
    The field that a browser sends.
    """
    return "authorization", "Basic " + b64encode(f"{user}:{password}".encode()).decode()


class BasicTests(SynchronousTestCase):
    """
    L{Basic}.
    """

    def setUp(self) -> None:
        self.desk = Desk()
        self.verifier = Verifier(self.desk.do, Clock().seconds)

    def guard(self, **settings: Any) -> Basic:
        """
        One with two users.
        """
        return Basic(BasicAuth((("bob", BCRYPT), ("ann", ARGON2)), **settings), self.verifier)

    def test_asks(self) -> None:
        """
        Who shows nothing is asked.
        """
        arrival = Arrival(self.guard(realm="the shop"))
        self.assertEqual((arrival.status, arrival.reasons), (401, ["no_credentials"]))
        self.assertIn(b'WWW-Authenticate: Basic realm="the shop", charset="UTF-8"\r\n', arrival.answer)

    def test_right(self) -> None:
        """
        Who shows the right password passes, the next time at once; the target gets no password.
        """
        guard = self.guard()
        for user in ("bob", "ann"):
            arrival = Arrival(guard, fields=[shown(user, "secret"), ("x-a", "b")])
            self.assertTrue(arrival.isWaiting)
            self.desk.work()
            self.assertTrue(arrival.hasPassed)
            self.assertEqual(arrival.exchange.sent, b"x-a: b\r\n")
            arrival = Arrival(guard, fields=[shown(user, "secret")])
            self.assertTrue(arrival.hasPassed)
            self.assertEqual(arrival.exchange.sent, b"")

    def test_handedOn(self) -> None:
        """
        The target is told who it is, and gets the password, if it is to.
        """
        guard = self.guard(userHeader="X-User", passesOn=True)
        fields = [shown("bob", "secret"), ("x-user", "root"), ("x_user", "root")]
        for _ in range(2):
            arrival = Arrival(guard, fields=fields)
            self.desk.work()
            self.assertTrue(arrival.hasPassed)
            self.assertEqual(
                arrival.exchange.sent, b"authorization: %b\r\nx-user: bob\r\n" % fields[0][1].encode()
            )

    def test_wrong(self) -> None:
        """
        A wrong password, and a user that there is not, cost one verification each, every time.
        """
        guard = self.guard()
        for _ in range(2):
            for user in ("bob", "ann", "eve", "", "é"):
                arrival = Arrival(guard, fields=[shown(user, "Secret")])
                self.assertTrue(arrival.isWaiting)
                self.assertEqual(len(self.desk.jobs), 1)
                self.desk.work()
                self.assertEqual((arrival.status, arrival.reasons), (401, ["bad_credentials"]), user)

    def test_unknownUser(self) -> None:
        """
        A user that there is not does not come in with the password of one that there is, whose hash
        stands in for his.
        """
        guard = self.guard()
        for number in range(8):
            arrival = Arrival(guard, fields=[shown(f"eve{number}", "secret")])
            self.desk.work()
            self.assertEqual(arrival.status, 401)
            arrival = Arrival(guard, fields=[shown(f"eve{number}", "secret")])
            self.assertTrue(arrival.isWaiting)
            self.desk.work()

    def test_standsIn(self) -> None:
        """
        The hash that stands in depends on the name alone.
        """
        asked: list[str] = []
        self.patch(self.verifier, "verify", lambda mark, hash, password, then: asked.append(hash) or True)
        guard = self.guard()
        for _ in range(3):
            for number in range(20):
                Arrival(guard, fields=[shown(f"eve{number}", f"{_}")])
        self.assertEqual(asked[:20], asked[20:40])
        self.assertEqual(asked[:20], asked[40:])
        self.assertEqual({*asked}, {BCRYPT, ARGON2})

    def test_changedHash(self) -> None:
        """
        After a password was changed the old one is not remembered.
        """
        self.assertTrue(Arrival(self.guard(), fields=[shown("bob", "secret")]).isWaiting)
        self.desk.work()
        other = Basic(BasicAuth((("bob", ARGON2),)), self.verifier)
        self.assertTrue(Arrival(other, fields=[shown("bob", "secret")]).isWaiting)

    def test_overload(self) -> None:
        """
        When too many are verified, others are told to come again; nobody passes.
        """
        guard = self.guard()
        arrivals = [Arrival(guard, fields=[shown("bob", str(number))]) for number in range(70)]
        self.assertEqual([each.status for each in arrivals], [0] * 64 + [503] * 6)
        self.assertEqual(arrivals[-1].reasons, ["credentials_busy"])

    def test_fault(self) -> None:
        """
        When a password cannot be verified nobody passes.
        """
        guard = Basic(BasicAuth((("bob", "broken"),)), self.verifier)
        arrival = Arrival(guard, fields=[shown("bob", "secret")])
        self.desk.work()
        self.assertEqual(arrival.status, 500)
        self.assertEqual(Arrival(Basic(BasicAuth(()), self.verifier), fields=[shown("", "")]).status, 401)

    @examples(200)
    @given(_ANYTHING)
    def test_anything(self, value: str) -> None:
        """
        Whatever is shown is asked, verified or refused; nothing is taken for right.
        """
        self.setUp()
        arrival = Arrival(self.guard(), fields=[("authorization", value)])
        self.desk.work()
        self.assertIn(arrival.status, (401, 500))
        self.assertEqual(arrival.status, 401)

    def test_malformed(self) -> None:
        """
        What is no basic authentication costs no verification.
        """
        for value in ("Bearer x", "Basic", "Basic !!", "Basic bm9jb2xvbg==", "Basic " + "A" * 2000):
            arrival = Arrival(self.guard(), fields=[("authorization", value)])
            self.assertEqual((arrival.status, self.desk.jobs), (401, []), value)
        twice = [shown("bob", "secret"), shown("bob", "secret")]
        self.assertEqual(Arrival(self.guard(), fields=twice).status, 401)
