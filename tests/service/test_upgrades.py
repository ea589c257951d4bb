"""
Tests for L{smartproxy_tw.service.upgrades}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.desk import Desk, Reply
from smartproxy_tw.service.errors import UpgradeRefused
from smartproxy_tw.service.upgrades import Upgrades
from smartproxy_tw.service.upgrading import Successor


class UpgradesTests(SynchronousTestCase):
    """
    A desk before something that does as it is told.
    """

    def ask(self, outcome: Deferred[Successor]) -> Reply:
        """
        Ask for an upgrade.
        """
        desk = Desk()
        self.askers: list[str] = []

        def upgrade(asker: str) -> Deferred[Successor]:
            self.askers.append(asker)
            return outcome

        Upgrades(upgrade).begin(desk)
        asked = desk.answer("POST", "/v1/upgrade", {}, b"", "user 7")
        return self.successResultOf(Deferred.fromCoroutine(asked))

    def test_done(self) -> None:
        """
        It is told which process serves, and where that is spoken to, if it has said so.
        """
        for successor, members in (
            (Successor(12), {"process": 12}),
            (Successor(12, ""), {"process": 12, "admin_socket": None}),
            (Successor(12, "/s/admin.sock"), {"process": 12, "admin_socket": "/s/admin.sock"}),
        ):
            reply = self.ask(succeed(successor))
            self.assertEqual((reply.status, reply.members, self.askers), (200, members, ["user 7"]))

    def test_refused(self) -> None:
        """
        It is told why none does.
        """
        reply = self.ask(fail(UpgradeRefused("Not now.")))
        self.assertEqual(
            (reply.status, reply.members["error"]), (409, {"code": "refused", "message": "Not now."})
        )
