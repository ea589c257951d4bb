"""
Tests for L{smartproxy_tw.commands.draining}.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.commands.admin import Answer
from smartproxy_tw.commands.draining import drain, watching

from .standings import Asked


class DrainTests(SynchronousTestCase):
    """
    Somebody has the proxy end.
    """

    def setUp(self) -> None:
        self.watched: list[Any] = []
        self.ends = True

    def watch(self, process: int) -> Callable[[float], bool]:
        """
        A process that ends, or does not.
        """
        self.watched.append(process)

        def wait(seconds: float) -> bool:
            self.watched.append(seconds)
            return self.ends

        return wait

    def drained(self, answer: Any, **more: Any) -> tuple[bool, str, str]:
        """
        Whether it ended, and what was said.
        """
        self.ask = Asked(Answer(200, {"process": 7}), answer)
        out, err = io.StringIO(), io.StringIO()
        options: dict[str, Any] = {"isWaiting": True, "watching": self.watch, "clock": lambda: 5.0, **more}
        isDone = drain(self.ask, options.pop("delay", 0.0), **options, out=out, err=err)
        return isDone, out.getvalue(), err.getvalue()

    def test_ended(self) -> None:
        """
        It is watched before it is asked, and waited for as long as it may take.
        """
        found = self.drained(Answer(202, {"draining": True, "delay": 0, "within": 30}))
        self.assertEqual(self.ask.questions, [("GET", "/v1", {}), ("POST", "/v1/drain", {})])
        self.assertEqual(self.watched, [7, 60.0])
        self.assertEqual(found[0], True)
        self.assertEqual(
            found[1],
            "process 7 is not ready any more, and ends when what it has is finished: within 30 s\n"
            "ended after 0.0 s\n",
        )

    def test_delayed(self) -> None:
        """
        A delay is passed on, and waited for as well.
        """
        found = self.drained(Answer(202, {"delay": 5, "within": 30}), delay=5.0)
        self.assertEqual(self.ask.questions[1], ("POST", "/v1/drain", {"delay": 5.0}))
        self.assertEqual(self.watched, [7, 65.0])
        self.assertIn("ends in 5 s, when", found[1])

    def test_notEnded(self) -> None:
        """
        One that does not end is no success.
        """
        self.ends = False
        isDone, _, err = self.drained(Answer(202, {"delay": 0, "within": 30}))
        self.assertFalse(isDone)
        self.assertIn("process 7 has not ended after 0 s: look at its log", err)

    def test_notWaiting(self) -> None:
        """
        Nobody has to wait.
        """
        self.assertTrue(self.drained(Answer(202, {"delay": 0, "within": 30}), isWaiting=False)[0])
        self.assertEqual(self.watched, [])

    def test_notSeen(self) -> None:
        """
        An end that cannot be seen is not claimed.
        """
        isDone, _, err = self.drained(Answer(202, {"delay": 0, "within": 30}), watching=lambda _: None)
        self.assertEqual((isDone, err), (False, "its end cannot be seen from here\n"))

    def test_refused(self) -> None:
        """
        A refusal is told, and nothing is waited for.
        """
        isDone, out, err = self.drained(Answer(404, {"error": {"message": "Unknown."}}))
        self.assertEqual((isDone, out, err), (False, "", "Unknown.\n"))
        self.assertEqual(self.watched, [7, 0.0])

    def test_watching(self) -> None:
        """
        The end of a real process is seen, though it is no child's child.
        """
        before = len(os.listdir("/proc/self/fd"))
        with subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
        ) as other:
            first, second = watching(other.pid), watching(other.pid)
            assert first is not None and second is not None and other.stdin is not None
            self.assertFalse(first(0.0))
            other.stdin.close()
            self.assertTrue(second(60.0))
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertIsNone(watching(other.pid))
