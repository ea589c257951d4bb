"""
Tests for L{smartproxy_tw.commands.accounts}.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.commands import accounts
from smartproxy_tw.commands.admin import Answer

CA = "https://ca.example/directory"


class AccountsTests(SynchronousTestCase):
    """
    Each command, and a proxy that says what the test has it say.
    """

    def setUp(self) -> None:
        self.asked: list[tuple[str, str, Mapping[str, Any]]] = []
        self.answer = Answer(200, {})
        self.out, self.err = io.StringIO(), io.StringIO()

    def ask(self, verb: str, path: str, members: Mapping[str, Any]) -> Answer:
        """
        The proxy.
        """
        self.asked.append((verb, path, members))
        return self.answer

    def run_(self, function: Any, *arguments: Any) -> bool:
        """
        One command.
        """
        with redirect_stdout(self.out), redirect_stderr(self.err):
            return bool(function(self.ask, *arguments))

    def test_list(self) -> None:
        """
        A line for each authority.
        """
        told = [
            {"authority": CA, "account": "https://ca.example/1", "changing": False},
            {"authority": "https://b.example/", "account": None, "changing": False},
            {"authority": "https://c.example/", "account": "https://c.example/2", "changing": True},
        ]
        self.answer = Answer(200, {"accounts": told})
        self.assertTrue(self.run_(accounts.show))
        lines = self.out.getvalue().splitlines()
        self.assertEqual(lines[0], f"{CA}: https://ca.example/1")
        self.assertIn("no account yet", lines[1])
        self.assertIn("one of two keys", lines[2])

    def test_rollover(self) -> None:
        """
        Where is passed on as it was said.
        """
        self.answer = Answer(200, {"account": "https://ca.example/1"})
        self.assertTrue(self.run_(accounts.rollover, None))
        self.assertTrue(self.run_(accounts.rollover, CA))
        self.assertEqual([each[2] for each in self.asked], [{}, {"authority": CA}])
        self.assertIn("https://ca.example/1 has a new key", self.out.getvalue())

    def test_deactivate(self) -> None:
        """
        Only when it is meant.
        """
        self.answer = Answer(200, {"deactivated": "https://ca.example/1"})
        self.assertFalse(self.run_(accounts.deactivate, CA, lambda question: False))
        self.assertEqual(self.asked, [])
        asked: list[str] = []
        self.assertTrue(self.run_(accounts.deactivate, CA, lambda question: not asked.append(question)))
        self.assertIn(CA, asked[0])
        self.assertIn("https://ca.example/1 is deactivated", self.out.getvalue())

    def test_refused(self) -> None:
        """
        Why not is told, and is no success.
        """
        self.answer = Answer(409, {"error": {"code": "busy", "message": "Orders are under way."}})
        for function, more in (
            (accounts.show, ()),
            (accounts.rollover, (None,)),
            (accounts.deactivate, (None, lambda question: True)),
        ):
            self.assertFalse(self.run_(function, *more))
        self.assertEqual(self.err.getvalue(), "Orders are under way.\n" * 3)
        self.assertEqual(self.out.getvalue(), "")
