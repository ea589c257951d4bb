"""
Tests for L{smartproxy_tw.commands.diverting}.
"""

from __future__ import annotations

import io
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.commands.admin import Answer
from smartproxy_tw.commands.diverting import divert, restore

from .standings import Asked


def told(*inUse: int) -> dict[str, Any]:
    """
    What each route says of it.
    """
    return {"upstreams": [{"targets": [{"in_use": number}]} for number in inUse]}


class DivertTests(SynchronousTestCase):
    """
    Somebody has a target drained.
    """

    def diverted(self, *answers: Any, isWaiting: bool = True) -> tuple[bool, str, str]:
        """
        Whether it is so, and what was said.
        """
        self.ask = Asked(*answers)
        self.slept: list[float] = []
        out, err = io.StringIO(), io.StringIO()
        isDone = divert(self.ask, "a:1", isWaiting=isWaiting, sleep=self.slept.append, out=out, err=err)
        return isDone, out.getvalue(), err.getvalue()

    def test_waits(self) -> None:
        """
        It is waited for until nothing is in use any more.
        """
        self.assertEqual(
            self.diverted({"target": "a:1"}, told(3, 3), told(3, 3), told(1, 1), told(0, 0)),
            (
                True,
                "nothing new is sent to a:1\n3 in use\n1 in use\nit has finished what it had\n",
                "",
            ),
        )
        self.assertEqual(len(self.slept), 3)
        self.assertEqual(
            self.ask.questions[:2],
            [
                ("POST", "/v1/upstreams/drain", {"target": "a:1"}),
                ("GET", "/v1/upstreams", {"target": "a:1"}),
            ],
        )

    def test_notWaiting(self) -> None:
        """
        Nobody has to wait.
        """
        self.assertEqual(
            self.diverted({"target": "a:1"}, isWaiting=False), (True, "nothing new is sent to a:1\n", "")
        )

    def test_unknown(self) -> None:
        """
        A refusal is told, and nothing of it does anything to a terminal.
        """
        refusal = Answer(404, {"error": {"message": "No \x1b[31m."}})
        self.assertEqual(self.diverted(refusal), (False, "", "No \\x1b[31m.\n"))

    def test_restored(self) -> None:
        """
        It can be taken back.
        """
        out, err = io.StringIO(), io.StringIO()
        self.assertTrue(restore(ask := Asked({"target": "a:1"}), "a:1", out=out, err=err))
        self.assertEqual(ask.questions, [("POST", "/v1/upstreams/restore", {"target": "a:1"})])
        self.assertEqual((out.getvalue(), err.getvalue()), ("a:1 has its turns again\n", ""))
        refusal = Answer(409, {"error": {"message": "It is not drained."}})
        self.assertFalse(restore(Asked(refusal), "a:1", out=out, err=err))
        self.assertEqual(err.getvalue(), "It is not drained.\n")
