"""
Tests for L{smartproxy_tw.commands.upgrade}; a real one is in
L{tests.live.test_upgrade}.
"""

from __future__ import annotations

import io
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.commands.admin import Answer, ProxyAway
from smartproxy_tw.commands.upgrade import upgrade


class UpgradeTests(SynchronousTestCase):
    """
    What somebody at a terminal sees.
    """

    def upgrade(self, answer: Answer, *after: int | None) -> tuple[bool, str, str]:
        """
        Have it done by a proxy that answers so.

        @param after: Which process answers each time when it is asked afterwards, the last one
            from then on; L{None}: none does.
        """
        processes = [7, *after]
        clock = Clock()

        def ask(verb: str, path: str, members: Any) -> Answer:
            self.assertEqual(members, {})
            if (verb, path) != ("GET", "/v1"):
                return answer
            process = processes.pop(0) if len(processes) > 1 else processes[0]
            if process is None:
                raise ProxyAway("away")
            return Answer(200, {"process": process})

        out, err = io.StringIO(), io.StringIO()
        done = upgrade(ask, out=out, err=err, clock=clock.seconds, sleep=clock.advance)
        self.assertEqual(processes, [after[-1] if after else 7])
        return done, out.getvalue(), err.getvalue()

    def test_done(self) -> None:
        """
        Which process serves, in place of which: told when it is spoken to in place of that one, which is when
        the pidfile names it too.
        """
        answer = Answer(200, {"process": 8})
        self.assertEqual(
            self.upgrade(answer, 7, None, None, 8), (True, "process 8 has taken over from 7\n", "")
        )

    def test_unseen(self) -> None:
        """
        One that serves and has no admin socket has taken over all the same.
        """
        answer = Answer(200, {"process": 8})
        self.assertEqual(self.upgrade(answer, 7, None), (True, "process 8 has taken over from 7\n", ""))

    def test_lost(self) -> None:
        """
        One that was lost at the last moment has not.
        """
        answer = Answer(200, {"process": 8})
        isDone, out, err = self.upgrade(answer, 7)
        self.assertEqual((isDone, out), (False, ""))
        self.assertIn("process 8 was to take over, and 7 goes on", err)

    def test_refused(self) -> None:
        """
        Why none does.
        """
        answer = Answer(409, {"error": {"code": "refused", "message": "the port is taken"}})
        self.assertEqual(self.upgrade(answer), (False, "", "the port is taken\n"))
