"""
Tests for L{smartproxy_tw.service.standing}.
"""

from __future__ import annotations

from math import inf
from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.budget import Wait
from smartproxy_tw.acme.x509 import describe
from smartproxy_tw.service.served import Served
from smartproxy_tw.service.standing import Next, Standing
from smartproxy_tw.service.stock import Stock

from .issuance import DAY, NOW, SHOP, SIGNER, Issuance


class StandingTests(SynchronousTestCase):
    """
    L{Standing}, read from parts that say what the test wants.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.way: Any = SimpleNamespace(directory="https://ca.example/")
        self.served = Served(self.way, self.clock)
        self.keeper: Any = SimpleNamespace(isBehind=False, problem=None, nextAttempt=None)
        self.held: Wait | None = None
        self.orders: Any = SimpleNamespace(isWaiting=False, findings=(), wait=lambda: self.held)
        self.appointment: Any = SimpleNamespace(
            isAway=False, isWanting=False, problem=None, failures=0, at=None, reason=None
        )
        self.pursuit: Any = SimpleNamespace(isUnderWay=False, ended=0)
        self.standing = Standing(
            SHOP,
            self.served,
            keeper=self.keeper,
            orders=self.orders,
            appointment=self.appointment,
            pursuit=self.pursuit,
        )

    def serve(self, *names: str, age: float = 0.0) -> None:
        """
        A certificate by an authority is served.
        """
        credential = SIGNER.issue(list(names), lifetime=90 * DAY, now=NOW - age)
        self.served.become(credential, describe(credential.chain), self.way)

    @property
    def state(self) -> str:
        """
        In one word.
        """
        return self.standing.status().state

    def test_states(self) -> None:
        """
        Of all that is the case the status has what matters most.
        """
        self.assertEqual(self.state, "missing")
        self.serve(*SHOP.names)
        self.assertEqual(self.state, "valid")
        self.keeper.isBehind = True
        self.assertEqual(self.state, "unsaved")
        self.serve(*SHOP.names, age=91 * DAY)
        self.assertEqual(self.state, "expired")
        self.appointment.problem = "nobody answers"
        self.assertEqual(self.state, "failed")
        self.served.isRevoked = True
        self.assertEqual(self.state, "revoked")
        self.pursuit.isUnderWay = True
        self.assertEqual(self.state, "ordering")
        self.orders.isWaiting = True
        self.assertEqual(self.state, "waiting")

    def test_next(self) -> None:
        """
        What is done next is the next order, or else the next try to save; while an authority is away
        it is nothing but the next look for it.
        """
        self.assertEqual(self.standing.next(), Next(None, None))
        self.keeper.nextAttempt = NOW + 5.0
        self.assertEqual(self.standing.next(), Next(NOW + 5.0, None))
        self.appointment.at, self.appointment.reason = NOW + 60.0, "its time"
        self.assertEqual(self.standing.next(), Next(NOW + 60.0, "its time"))
        self.appointment.isAway, self.appointment.at = True, None
        self.assertEqual(self.standing.next(), Next(None, "its time"))

    def test_nextOfWhatWaits(self) -> None:
        """
        An order that waits says for what, and until when where that is known.
        """
        self.appointment.at = NOW + 60.0
        self.orders.isWaiting = True
        self.assertEqual(self.standing.next(), Next(None, "other orders are under way"))
        self.held = Wait(NOW + 9.0, "five an hour")
        self.assertEqual(self.standing.next(), Next(NOW + 9.0, "five an hour"))
        self.held = Wait(inf, "the authority is away")
        self.assertEqual(self.standing.next(), Next(None, "the authority is away"))

    def test_status(self) -> None:
        """
        The status has what each part says.
        """
        self.serve(*SHOP.names)
        self.appointment.failures, self.pursuit.ended = 3, 4
        self.orders.findings = (404, "there is none")
        self.keeper.problem = "the disk is full"
        status = self.standing.status()
        assert self.served.facts is not None
        self.assertEqual((status.key, status.source, status.names), (SHOP.key, "auto", SHOP.names))
        self.assertEqual((status.serial, status.issuer), (self.served.facts.serial, "CN=Test root"))
        self.assertEqual((status.expires, status.authority), (NOW + 90 * DAY, "https://ca.example/"))
        self.assertEqual((status.failures, status.orders), (3, 4))
        self.assertEqual((status.preflight, status.problem), (("404", "there is none"), "the disk is full"))
        # Why there is no certificate is worse than that it is not saved.
        self.appointment.problem = "nobody answers"
        self.assertEqual(self.standing.status().problem, "nobody answers")

    def test_selfSigned(self) -> None:
        """
        Of what is self-signed nothing is said that only an authority gives.
        """
        status = self.standing.status()
        self.assertEqual((status.serial, status.issuer, status.authority, status.expires), (None,) * 4)
        self.assertFalse(self.standing.isIssued)
        self.assertEqual(self.standing.uncovered, SHOP.names)

    def test_uncovered(self) -> None:
        """
        A name is uncovered that what is served is not for, and each once that is over.
        """
        self.serve("shop.example")
        self.assertEqual((self.standing.isIssued, self.standing.uncovered), (True, ("www.shop.example",)))
        self.serve("shop.example", "*.shop.example")
        self.assertEqual(self.standing.uncovered, ())
        self.clock.advance(91 * DAY)
        self.assertEqual(self.standing.uncovered, SHOP.names)

    def test_wanting(self) -> None:
        """
        One is wanted when it is under way, or due; it is queued while it waits for its turn.
        """
        self.assertFalse(self.standing.isWanting or self.standing.isQueued)
        self.pursuit.isUnderWay = True
        self.assertTrue(self.standing.isWanting)
        self.pursuit.isUnderWay, self.appointment.isWanting = False, True
        self.assertTrue(self.standing.isWanting)
        self.orders.isWaiting = True
        self.assertTrue(self.standing.isQueued)


class WholeTests(Issuance):
    """
    In a whole certificate.
    """

    def test_expired(self) -> None:
        """
        One that is over is called so.
        """
        self.successResultOf(self.certificate.load(Stock({SHOP.key: self.issued(100 * DAY)})))
        self.assertEqual(self.certificate.status().state, "expired")
