"""
Tests for L{smartproxy_tw.commands.completion}: bash completes, and the other scripts
are read by their shells, where these are there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from collections.abc import Iterator

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from smartproxy_tw.acme.reasons import REASONS
from smartproxy_tw.cli import _parser
from smartproxy_tw.commands.completion import SHELLS, Level, outline, script

#: Completes a line as bash does when somebody presses the key at its end.
PRESS = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_smartproxy
printf '%s\\n' "${COMPREPLY[@]}"
"""


def levels() -> dict[tuple[str, ...], Level]:
    """
    Of the real command.
    """
    return {each.path: each for each in outline(_parser())}


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """
    All of them.
    """
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from parsers(child)


class OutlineTests(SynchronousTestCase):
    """
    What can be said.
    """

    def test_everything(self) -> None:
        """
        Every option of every command is there, with its values.
        """
        found = levels()
        self.assertEqual(len(found), len(list(parsers(_parser()))))
        self.assertIn("certificates", [word for word, _ in found[()].words])
        self.assertIn("renew", [word for word, _ in found["certificates",].words])
        options = {flag: each for each in found["certificates", "revoke"].options for flag in each.flags}
        self.assertEqual(options["--reason"].values, tuple(REASONS))
        self.assertTrue(options["-c"].isFile)
        self.assertFalse(options["--yes"].takes)
        for parser in parsers(_parser()):
            path = tuple(parser.prog.split()[1:])
            flags = {flag for each in found[path].options for flag in each.flags}
            self.assertEqual(flags, set(parser._option_string_actions))


class BashTests(SynchronousTestCase):
    """
    In bash.
    """

    def setUp(self) -> None:
        if shutil.which("bash") is None:
            raise SkipTest("bash is not there; install it from the Debian package bash")
        self.directory = self.mktemp()
        os.makedirs(os.path.join(self.directory, "sub dir"))
        self.script = os.path.abspath(os.path.join(self.directory, ".script"))
        with open(self.script, "w", encoding="utf-8") as file:
            file.write(script("bash", _parser()))
        for name in ("smart.yaml", "other.toml"):
            with open(os.path.join(self.directory, name), "w", encoding="ascii"):
                pass

    def completed(self, *words: str) -> list[str]:
        """
        What is offered for the last word.
        """
        ran = subprocess.run(
            ["bash", "--norc", "-c", PRESS, "bash", self.script, "smartproxy", *words],
            capture_output=True,
            text=True,
            cwd=self.directory,
            timeout=60,
            check=False,
        )
        self.assertEqual(ran.stderr, "")
        return sorted(ran.stdout.split("\n")[:-1]) if ran.stdout.strip() else []

    def test_commands(self) -> None:
        """
        Commands, and the verbs of those that have some.
        """
        found = levels()
        self.assertEqual(self.completed(""), sorted(word for word, _ in found[()].words))
        self.assertEqual(self.completed("st"), ["status"])
        self.assertEqual(self.completed("certificates", "re"), ["renew", "revoke"])
        self.assertEqual(self.completed("completion", ""), ["bash", "fish", "zsh"])

    def test_options(self) -> None:
        """
        Options of just this command.
        """
        self.assertEqual(self.completed("status", "--"), ["--config", "--help", "--json", "--socket"])
        self.assertEqual(self.completed("certificates", "renew", "--f"), ["--force"])
        self.assertEqual(self.completed("explain", "--j"), [])
        self.assertEqual(self.completed("certificates", "explain", "-"), ["--config", "--help", "-c", "-h"])

    def test_values(self) -> None:
        """
        What may come after an option: one of some, a file, or whatever it is.
        """
        reasons = self.completed("certificates", "revoke", "--reason", "key")
        self.assertEqual(reasons, ["keyCompromise"])
        self.assertEqual(self.completed("certificates", "revoke", "--reason", "=", "key"), reasons)
        self.assertEqual(self.completed("status", "-c", "s"), ["smart.yaml", "sub dir"])
        self.assertEqual(self.completed("drain", "--delay", ""), [])

    def test_files(self) -> None:
        """
        Arguments that are files, also after options.
        """
        self.assertEqual(self.completed("check", "o"), ["other.toml"])
        self.assertEqual(self.completed("check", "--quiet", "o"), ["other.toml"])
        self.assertEqual(self.completed("certificates", "import", "su"), ["sub dir"])
        self.assertEqual(self.completed("init", "--systemd", "su"), ["sub dir"])
        self.assertEqual(self.completed("explain", ""), [])

    def test_loaded(self) -> None:
        """
        The script makes bash know it, and does nothing else.
        """
        ran = subprocess.run(
            ["bash", "--norc", "-c", 'source "$1"; complete -p smartproxy', "bash", self.script],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((ran.stdout, ran.stderr), ("complete -F _smartproxy smartproxy\n", ""))


class OtherShellTests(SynchronousTestCase):
    """
    The others.
    """

    def test_parsed(self) -> None:
        """
        zsh and fish find nothing wrong with theirs.
        """
        missing = []
        for shell in SHELLS:
            if shutil.which(shell) is None:
                missing.append(shell)
                continue
            ran = subprocess.run(
                [shell, "-n", "/dev/stdin"],
                input=script(shell, _parser()),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            self.assertEqual((ran.returncode, ran.stderr), (0, ""), shell)
        if missing:
            raise SkipTest(
                f"{' and '.join(missing)} are not there; install the Debian packages of these names"
            )

    def test_fish(self) -> None:
        """
        fish completes, also after options.
        """
        fish = shutil.which("fish")
        if fish is None:
            raise SkipTest("fish is not there; install it from the Debian package fish")
        place = os.path.abspath(self.mktemp())
        with open(place, "w", encoding="utf-8") as file:
            file.write(script("fish", _parser()))
        for line, told in (
            ("smartproxy sta", ["status"]),
            ("smartproxy certificates re", ["renew", "revoke"]),
            ("smartproxy certificates revoke --reason sup", ["superseded"]),
            ("smartproxy certificates revoke --reason superseded --y", ["--yes"]),
            ("smartproxy explain ", []),
        ):
            ran = subprocess.run(
                [fish, "--no-config", "-c", f"source {place}; complete -C '{line}'"],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            self.assertEqual(ran.stderr, "")
            self.assertEqual([each.partition("\t")[0] for each in ran.stdout.splitlines()], told, line)

    def test_said(self) -> None:
        """
        Every word and every long option is in each of them.
        """
        for shell in SHELLS:
            text = script(shell, _parser())
            for level in levels().values():
                for word, _ in level.words:
                    self.assertIn(word, text)
                for option in level.options:
                    for flag in option.flags:
                        self.assertIn(flag.lstrip("-"), text)
