"""
Tests for L{smartproxy_tw.commands.upgrade}; a real one is in
L{tests.live.test_upgrade}.
"""

from __future__ import annotations

import io
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.commands.admin import Answer
from smartproxy_tw.commands.upgrade import upgrade


class UpgradeTests(SynchronousTestCase):
    """
    What somebody at a terminal sees.
    """

    def upgrade(self, answer: Answer) -> tuple[bool, str, str]:
        """
        Have it done by a proxy that answers so.
        """

        def ask(verb: str, path: str, members: Any) -> Answer:
            self.assertEqual(members, {})
            return Answer(200, {"process": 7}) if (verb, path) == ("GET", "/v1") else answer

        out, err = io.StringIO(), io.StringIO()
        return upgrade(ask, out=out, err=err), out.getvalue(), err.getvalue()

    def test_done(self) -> None:
        """
        Which process serves, in place of which.
        """
        answer = Answer(200, {"process": 8})
        self.assertEqual(self.upgrade(answer), (True, "process 8 has taken over from 7\n", ""))

    def test_refused(self) -> None:
        """
        Why none does.
        """
        answer = Answer(409, {"error": {"code": "refused", "message": "the port is taken"}})
        self.assertEqual(self.upgrade(answer), (False, "", "the port is taken\n"))
