"""
Tests for L{smartproxy_tw.commands.arguments}.
"""

from __future__ import annotations

import argparse
import contextlib
import io

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.commands.arguments import addOperations

from ..examples import awkwardText, examples


class OperationTests(SynchronousTestCase):
    """
    The words.
    """

    def parse(self, *words: str) -> argparse.Namespace | str:
        """
        What they mean, or what is wrong with them.
        """
        parser = argparse.ArgumentParser(prog="smartproxy")
        addOperations(parser.add_subparsers(dest="command"), "/etc/default.yaml")
        with contextlib.redirect_stderr(io.StringIO()) as said:
            try:
                return parser.parse_args(words)
            except SystemExit as why:
                self.assertEqual(why.code, 2)
                return said.getvalue()

    def test_where(self) -> None:
        """
        Whatever speaks to the running proxy is told where it is, in one of two ways.
        """
        for command in ("status", "top", "drain", "upgrade"):
            found = self.parse(command)
            assert not isinstance(found, str), found
            self.assertEqual(
                (found.command, found.socket, found.config), (command, None, "/etc/default.yaml")
            )
            found = self.parse(command, "--socket", "/s", "-c", "/c")
            assert not isinstance(found, str), found
            self.assertEqual((found.socket, found.config), ("/s", "/c"))

    def test_drain(self) -> None:
        """
        It is waited for, at once, unless somebody says otherwise.
        """
        found = self.parse("drain")
        assert not isinstance(found, str), found
        self.assertEqual((found.delay, found.wait), (0.0, True))
        found = self.parse("drain", "--delay", "2.5", "--no-wait")
        assert not isinstance(found, str), found
        self.assertEqual((found.delay, found.wait), (2.5, False))

    @given(st.one_of(awkwardText(20), st.floats().map(str)))
    @examples(50)
    def test_delay(self, text: str) -> None:
        """
        A delay is a number of seconds, of an hour at most, or refused with a reason.
        """
        found = self.parse("drain", f"--delay={text}")
        if isinstance(found, str):
            self.assertIn("is no number of seconds from 0 to 3600", found)
        else:
            self.assertTrue(0 <= found.delay <= 3600)

    def test_shell(self) -> None:
        """
        A shell that is not known is refused, with those that are.
        """
        for shell in ("bash", "zsh", "fish"):
            found = self.parse("completion", shell)
            assert not isinstance(found, str), found
            self.assertEqual(found.shell, shell)
        said = self.parse("completion", "csh")
        assert isinstance(said, str)
        self.assertIn("bash", said)
