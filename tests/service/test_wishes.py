"""
Tests for L{smartproxy_tw.service.wishes}; the certificates of a whole proxy are wished for in
L{tests.service.test_steering}.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.errors import NotNow, NotPossible, NotProvisioned, StoppedError
from smartproxy_tw.service.status import CertificateStatus
from smartproxy_tw.service.wishes import Wishes

STATUS = CertificateStatus("", "auto", (), "valid")


class Certificates:
    """
    Those of two routes: one has two by ACME, and one from a file.
    """

    renewable = frozenset(("acme:a", "acme:b"))

    def __init__(self) -> None:
        self.states = {"acme:a": "valid", "acme:b": "missing", "file:a": "valid"}
        self.asked: list[tuple[str, bool, bool]] = []
        self.orders: dict[str, Deferred[None]] = {}

    def status(self) -> tuple[CertificateStatus, ...]:
        """
        How it stands with each.
        """
        return tuple(
            replace(STATUS, key=key, names=(f"{key[-1]}.test",), state=state)  # type: ignore[arg-type]
            for key, state in self.states.items()
        )

    def ofRoute(self, route: str) -> tuple[str, ...]:
        """
        Which ones it has.
        """
        if route == "nowhere":
            raise NotPossible("no route")
        return {"both": ("acme:a", "acme:b", "file:a"), "file": ("file:a",)}[route]

    def find(self, name: str) -> tuple[str, ...]:
        """
        Which ones are for a name.
        """
        return tuple(key for key in self.states if name == f"{key[-1]}.test")

    def renew(self, key: str, *, force: bool) -> bool:
        """
        Whether an order is placed.
        """
        self.asked.append((key, True, force))
        return key not in self.orders

    def provision(self, key: str, *, isRenewal: bool, force: bool) -> Deferred[None]:
        """
        Have one.
        """
        self.asked.append((key, isRenewal, force))
        if key not in self.orders:
            raise NotNow("held", "later")
        return self.orders[key]


class WishesTests(SynchronousTestCase):
    """
    A proxy that is served.
    """

    def setUp(self) -> None:
        self.certificates: Any = Certificates()
        self.ready: Deferred[None] = succeed(None)
        self.wishes = Wishes(
            lambda: self.certificates,
            lambda: self.ready,
            lambda status: replace(status, problem="unwritten") if status.key == "file:a" else status,
        )

    def test_status(self) -> None:
        """
        It is told with what others know, for all or for a route.
        """
        found = self.wishes.status()
        self.assertEqual(
            [(each.key, each.problem) for each in found],
            [("acme:a", None), ("acme:b", None), ("file:a", "unwritten")],
        )
        self.assertEqual(self.wishes.statusOf("file"), found[2:])
        self.assertEqual(self.wishes.statusOf("both"), found)
        self.assertRaises(NotPossible, self.wishes.statusOf, "nowhere")

    def test_notRunning(self) -> None:
        """
        While the proxy does not run there are none, and nothing can be had.
        """
        self.certificates = None
        self.assertEqual(self.wishes.status(), ())
        self.assertIn("does not run", str(self.assertRaises(NotPossible, self.wishes.statusOf, "both")))
        self.assertRaises(NotPossible, self.wishes.renew, "a.test", force=False)
        self.failureResultOf(self.wishes.provision("both"), NotPossible)

    def test_renew(self) -> None:
        """
        What an authority has to do with is renewed, and the answer says for which ones an
        order was placed.
        """
        self.assertEqual(self.wishes.renew("a.test", force=True), ("acme:a",))
        self.assertEqual(self.certificates.asked, [("acme:a", True, True)])
        self.certificates.orders["acme:b"] = Deferred()
        self.assertEqual(self.wishes.renew("b.test", force=False), ())
        why = self.assertRaises(NotPossible, self.wishes.renew, "c.test", force=False)
        self.assertIn("c.test", str(why))

    def test_provision(self) -> None:
        """
        All those of a route are asked for at once, as soon as everything is served, and the
        answer comes with the last.
        """
        self.ready = Deferred()
        first, second = Deferred(), Deferred()  # type: ignore[var-annotated]
        self.certificates.orders = {"acme:a": first, "acme:b": second}
        outcome = self.wishes.provision("both", isRenewal=True)
        self.assertEqual(self.certificates.asked, [])
        self.ready.callback(None)
        self.assertEqual(self.certificates.asked, [("acme:a", True, False), ("acme:b", True, False)])
        first.callback(None)
        self.assertNoResult(outcome)
        self.certificates.states["acme:b"] = "unsaved"
        second.callback(None)
        self.assertEqual(self.successResultOf(outcome), self.wishes.statusOf("both"))

    def test_inVain(self) -> None:
        """
        What was not to be had is named, with why.
        """
        self.certificates.orders = {key: succeed(None) for key in self.certificates.renewable}
        why = self.failureResultOf(self.wishes.provision("both"), NotProvisioned).value
        self.assertEqual(str(why), "b.test: missing")

    def test_refused(self) -> None:
        """
        It fails where the proxy comes not to be served, where nothing may be asked for, and
        where there is nothing by ACME.
        """
        self.failureResultOf(self.wishes.provision("both"), NotNow)
        self.failureResultOf(self.wishes.provision("nowhere"), NotPossible)
        why = self.failureResultOf(self.wishes.provision("file"), NotPossible).value
        self.assertIn("'file' has no certificate by ACME", str(why))
        self.ready = fail(StoppedError("early"))
        self.failureResultOf(self.wishes.provision("both"), StoppedError)

    def test_uninterested(self) -> None:
        """
        Whoever waits no longer takes nothing back.
        """
        cancelled: list[object] = []
        order: Deferred[None] = Deferred(cancelled.append)
        self.certificates.orders = {"acme:a": order, "acme:b": order}
        outcome = self.wishes.provision("both")
        outcome.cancel()
        self.failureResultOf(outcome, CancelledError)
        self.assertEqual(cancelled, [])
