"""
Tests for L{smartproxy_tw.service.reloads}.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.changes import Changes, Setting
from smartproxy_tw.config.errors import ConfigError, Problem
from smartproxy_tw.service.desk import Desk, Reply
from smartproxy_tw.service.errors import ChangeRefused, RestartNeeded, StoppedError
from smartproxy_tw.service.reloads import Reloads

DRAIN, WORKERS = Setting("timeouts.drain", "30", "5"), Setting("workers", "1", "2")
CHANGES = Changes(
    ("a",),
    ("b",),
    ("c",),
    True,
    (80,),
    (81,),
    ("auto:a.test",),
    ("auto:b.test",),
    (DRAIN, WORKERS),
    (WORKERS,),
)


class ReloadsTests(SynchronousTestCase):
    """
    A desk before a subject that does as it is told.
    """

    def setUp(self) -> None:
        self.desk = Desk()
        Reloads(self).begin(self.desk)
        self.outcome: Deferred[Changes] = succeed(CHANGES)
        self.asked: list[str] = []

    def reload(self, asker: str) -> Deferred[Changes]:
        """
        The subject's.
        """
        self.asked.append(asker)
        return self.outcome

    def preview(self) -> Deferred[Changes]:
        """
        Likewise.
        """
        self.asked.append("preview")
        return self.outcome

    def ask(self, **members: Any) -> Reply:
        """
        Ask for a reload.
        """
        body = json.dumps(members).encode() if members else b""
        return self.successResultOf(
            Deferred.fromCoroutine(self.desk.answer("POST", "/v1/reload", {}, body, "user 7"))
        )

    def refusal(self, why: Exception) -> tuple[int, Any]:
        """
        How it is told.
        """
        self.outcome = fail(why)
        reply = self.ask()
        return reply.status, reply.members["error"]

    def test_done(self) -> None:
        """
        What has changed is told, for programs and for people.
        """
        reply = self.ask()
        self.assertEqual((reply.status, reply.members["reloaded"], self.asked), (200, True, ["user 7"]))
        self.assertEqual(reply.members["lines"], list(CHANGES.lines()))
        self.assertEqual(
            reply.members["changes"],
            {
                "routes": {"added": ["a"], "removed": ["b"], "changed": ["c"], "reordered": True},
                "ports": {"bound": [80], "released": [81]},
                "certificates": {"wanted": ["auto:a.test"], "dropped": ["auto:b.test"]},
                "settings": [
                    {"name": "timeouts.drain", "old": "30", "new": "5", "needs_restart": False},
                    {"name": "workers", "old": "1", "new": "2", "needs_restart": True},
                ],
            },
        )
        json.dumps(reply.members)

    def test_dry(self) -> None:
        """
        Somebody may only want to know.
        """
        reply = self.ask(dry_run=True)
        self.assertEqual((reply.members["reloaded"], self.asked), (False, ["preview"]))

    def test_badQuestion(self) -> None:
        """
        A member that is not known, or has no sense, reloads nothing.
        """
        for members in ({"dry-run": True}, {"dry_run": "yes"}):
            self.assertEqual(self.ask(**members).status, 400)
        self.assertEqual(self.asked, [])

    def test_refused(self) -> None:
        """
        Each way to be refused has a word of its own.
        """
        problem = Problem("/f.yaml", 3, 1, "x", "is wrong")
        status, error = self.refusal(ConfigError([problem]))
        self.assertEqual(
            (status, error["code"], error["problems"]), (422, "bad-configuration", [str(problem)])
        )
        status, error = self.refusal(RestartNeeded(CHANGES))
        self.assertEqual((status, error["code"]), (409, "restart-needed"))
        self.assertIn("workers: 1 -> 2", error["message"])
        self.assertEqual(error["changes"]["routes"]["added"], ["a"])
        status, error = self.refusal(ChangeRefused("Cannot listen on port 80"))
        self.assertEqual(
            (status, error["code"], error["message"]), (409, "refused", "Cannot listen on port 80")
        )
        status, error = self.refusal(StoppedError("stopping"))
        self.assertEqual((status, error["code"]), (503, "stopping"))
