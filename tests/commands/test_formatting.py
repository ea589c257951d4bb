"""
Tests for L{smartproxy_tw.commands.formatting}.
"""

from __future__ import annotations

import io
import os
import stat
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.cli import OK, TROUBLE, main
from smartproxy_tw.commands import formatting
from smartproxy_tw.config.layout import LayoutMissing

UNTIDY, TIDY = "a:   1 # c\n\n\n\nb:\n- 2\n", "a: 1   # c\n\nb:\n  - 2\n"


class FormattingTests(SynchronousTestCase):
    """
    C{smartproxy fmt}.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.file = self.directory / "smartproxy.yaml"
        self.file.write_text(UNTIDY)
        self.file.chmod(0o640)
        self.out = self.err = ""

    def run_(self, *arguments: str) -> int:
        """
        As it is typed.
        """
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = main(["fmt", *arguments])
        self.out, self.err = out.getvalue(), err.getvalue()
        return status

    def test_laidOut(self) -> None:
        """
        A file is laid out once, and keeps its mode; a second time there is nothing to do.
        """
        self.assertEqual(self.run_(str(self.file)), OK)
        self.assertEqual(self.file.read_text(), TIDY)
        self.assertIn("is laid out anew", self.out)
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o640)
        number = self.file.stat().st_ino
        self.assertEqual((self.run_(str(self.file)), self.out), (OK, ""))
        self.assertEqual(self.file.stat().st_ino, number)
        self.assertEqual(os.listdir(self.directory), ["smartproxy.yaml"])

    def test_check(self) -> None:
        """
        C{--check} and C{--diff} tell, and change nothing.
        """
        self.assertEqual(self.run_("--check", str(self.file)), TROUBLE)
        self.assertIn("would be laid out anew", self.out)
        self.assertEqual(self.run_("--diff", str(self.file)), TROUBLE)
        self.assertIn("-a:   1 # c\n", self.out)
        self.assertIn("+a: 1   # c\n", self.out)
        self.assertEqual(self.file.read_text(), UNTIDY)
        self.file.write_text(TIDY)
        self.assertEqual((self.run_("--check", str(self.file)), self.out), (OK, ""))
        self.assertEqual((self.run_("--diff", str(self.file)), self.out), (OK, ""))

    def test_default(self) -> None:
        """
        Without a name it is the file that all commands take.
        """
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.directory)
        self.assertEqual(self.run_("--check"), TROUBLE)
        self.assertIn("smartproxy.yaml would be", self.out)

    def test_link(self) -> None:
        """
        A link stays one, and what it leads to is laid out.
        """
        link = self.directory / "link.yaml"
        link.symlink_to(self.file.name)
        self.assertEqual(self.run_(str(link)), OK)
        self.assertTrue(link.is_symlink())
        self.assertEqual(self.file.read_text(), TIDY)

    def test_several(self) -> None:
        """
        One that cannot be laid out is left alone, and keeps no other one from it.
        """
        bad, other, odd = self.directory / "bad.yaml", self.directory / "x.toml", self.directory / "odd.yml"
        bad.write_text("a: [\n")
        other.write_text("a = 1\n")
        odd.write_bytes(b"a: \xff\n")
        names = [str(each) for each in (bad, other, odd, self.directory / "none.yaml", self.file)]
        self.assertEqual(self.run_(*names), TROUBLE)
        for told in ("bad.yaml:", "only YAML", "is not in UTF-8", "none.yaml: No such file"):
            self.assertIn(told, self.err)
        self.assertEqual(self.file.read_text(), TIDY)
        self.assertEqual(bad.read_text(), "a: [\n")

    def test_withoutLibrary(self) -> None:
        """
        What is missing for all of them is said once.
        """

        def missing(text: str, file: str) -> str:
            raise LayoutMissing("needs a library")

        self.patch(formatting, "laidOut", missing)
        other = self.directory / "other.yaml"
        other.write_text(UNTIDY)
        self.assertEqual(self.run_(str(self.file), str(other)), TROUBLE)
        self.assertEqual(self.err, "needs a library\n")

    def test_standardInput(self) -> None:
        """
        C{-} is for editors.
        """
        self.patch(formatting.sys, "stdin", io.StringIO(UNTIDY))
        self.assertEqual((self.run_("-"), self.out), (OK, TIDY))
        self.patch(formatting.sys, "stdin", io.StringIO(UNTIDY))
        self.assertEqual(self.run_("--check", "-"), TROUBLE)

    def test_fullDisk(self) -> None:
        """
        A disk without room leaves the file as it was, and nothing beside it.
        """

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        self.patch(formatting.os, "fsync", full)
        self.assertEqual(self.run_(str(self.file)), TROUBLE)
        self.assertIn("No space left on device", self.err)
        self.assertEqual(self.file.read_text(), UNTIDY)
        self.assertEqual(os.listdir(self.directory), ["smartproxy.yaml"])
