"""
Tests for L{smartproxy_tw.commands.upgrade}; a real one is in
L{tests.live.test_upgrade}.
"""

from __future__ import annotations

import io
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.commands.admin import Answer, Ask, ProxyAway
from smartproxy_tw.commands.upgrade import upgrade


class UpgradeTests(SynchronousTestCase):
    """
    What somebody at a terminal sees.
    """

    def upgrade(
        self, answer: Answer, *after: int | None, elsewhere: tuple[int | None, ...] = ()
    ) -> tuple[bool, str, str]:
        """
        Have it done by a proxy that answers so.

        @param after: Which process answers each time when it is asked afterwards, the last one
            from then on; L{None}: none does.
        @param elsewhere: The same for where it was told that the next process is.
        """
        here, there = [7, *after], list(elsewhere)
        self.clock = Clock()

        def asking(path: str, processes: list[int | None]) -> Ask:
            def ask(verb: str, target: str, members: Any) -> Answer:
                self.assertEqual(members, {})
                if (verb, target) != ("GET", "/v1"):
                    return answer
                process = processes.pop(0) if len(processes) > 1 else processes[0]
                if process is None:
                    raise ProxyAway("away")
                return Answer(200, {"process": process})

            return ask

        def toThere(path: str) -> Ask:
            self.assertEqual(path, "/other.sock")
            return asking(path, there)

        out, err = io.StringIO(), io.StringIO()
        done = upgrade(
            asking("/admin.sock", here),
            toThere,
            out=out,
            err=err,
            clock=self.clock.seconds,
            sleep=self.clock.advance,
        )
        self.assertEqual(here, [after[-1] if after else 7])
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

    def test_elsewhere(self) -> None:
        """
        One that is spoken to elsewhere has taken over when it is there.
        """
        answer = Answer(200, {"process": 8, "admin_socket": "/other.sock"})
        found = self.upgrade(answer, 7, None, elsewhere=(None, None, 8))
        self.assertEqual(found, (True, "process 8 has taken over from 7\n", ""))
        self.assertLess(self.clock.seconds(), 1)

    def test_elsewhereHere(self) -> None:
        """
        Or where the one before was: its place may have another name for who asks.
        """
        answer = Answer(200, {"process": 8, "admin_socket": "/other.sock"})
        found = self.upgrade(answer, 7, None, 8, elsewhere=(None,))
        self.assertEqual(found, (True, "process 8 has taken over from 7\n", ""))
        self.assertLess(self.clock.seconds(), 1)

    def test_elsewhereNot(self) -> None:
        """
        Where it is not to be spoken to all the same is told; it has taken over, as the one before is gone.
        """
        answer = Answer(200, {"process": 8, "admin_socket": "/other.sock"})
        self.assertEqual(
            self.upgrade(answer, 7, None, elsewhere=(None,)),
            (
                True,
                "process 8 has taken over from 7, and does not answer at /other.sock: its log says why\n",
                "",
            ),
        )

    def test_off(self) -> None:
        """
        One that is not to be spoken to at all has taken over soon after the one before has made room, which
        comes before the pidfile names the other.
        """
        answer = Answer(200, {"process": 8, "admin_socket": None})
        isDone, out, err = self.upgrade(answer, 7, 7, None)
        self.assertEqual((isDone, err), (True, ""))
        self.assertIn("process 8 has taken over from 7, and cannot be spoken to", out)
        self.assertIn("admin: off", out)
        self.assertLess(self.clock.seconds(), 2)

    def test_offAndLost(self) -> None:
        """
        If it was lost at the last moment, the one before goes on.
        """
        for admin, elsewhere in ((None, ()), ("/other.sock", (None,))):
            answer = Answer(200, {"process": 8, "admin_socket": admin})
            isDone, out, err = self.upgrade(answer, 7, elsewhere=elsewhere)
            self.assertEqual((isDone, out), (False, ""))
            self.assertIn("process 8 was to take over, and 7 goes on", err)

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
