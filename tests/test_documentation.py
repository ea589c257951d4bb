"""
What the documents claim and a machine can check: the commands, the examples, and the
wording that C{.ci/run} relies on.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import textwrap
from collections.abc import Iterator
from contextlib import redirect_stderr
from itertools import takewhile
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import smartproxy_tw

#: Where the checkout is: the tests run from a copy when a wheel is tested.
CHECKOUT = Path(os.environ.get("SMARTPROXY_TW_CHECKOUT") or Path(__file__).parent.parent)

RUN_THE_JOB = "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/twistd -n smartproxy --demo"
RUN_THE_TESTS = "python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox"

BLOCK = re.compile(
    r"^( *)\.\. code-block:: (\w+)\n(?:\1 +:[^\n]*\n)*\n((?:(?:\1 {2,}[^\n]*)?\n)+)",
    re.MULTILINE,
)


def blocks(text: str, language: str) -> Iterator[str]:
    """
    The code blocks of a document in one language, dedented.
    """
    for found in BLOCK.finditer(text):
        if found[2] == language:
            yield textwrap.dedent(found[3])


def documents() -> list[Path]:
    """
    The README and every page of the manual.
    """
    if not (CHECKOUT / "README.rst").exists():
        raise SkipTest(f"no checkout at {CHECKOUT}")
    return [CHECKOUT / "README.rst", *sorted((CHECKOUT / "docs").glob("*.rst"))]


class ReadmeTests(SynchronousTestCase):
    """
    The README's promises.
    """

    def test_twoCommands(self) -> None:
        """
        Both commands stand there, each alone on one line to paste.
        """
        lines = [line.strip() for line in documents()[0].read_text().splitlines()]
        self.assertEqual(lines.count(RUN_THE_JOB), 1)
        self.assertEqual(lines.count(RUN_THE_TESTS), 1)

    def test_ci(self) -> None:
        """
        Continuous integration takes the test command from the README, by a
        pattern that finds it.
        """
        script = (documents()[0].parent / ".ci" / "run").read_text()
        pattern = re.search(r"grep -o '([^']+)' README.rst", script)
        self.assertIsNotNone(pattern)
        found = re.findall(pattern[1], documents()[0].read_text(), re.MULTILINE)
        self.assertEqual(found, [RUN_THE_TESTS])


class CommandTests(SynchronousTestCase):
    """
    The page about the command line.
    """

    def test_everyCommand(self) -> None:
        """
        Every command and every verb stands there, and every status as C{--help} has it;
        each question to the running proxy is told of.
        """
        from smartproxy_tw.cli import _EPILOG, _parser
        from smartproxy_tw.commands.completion import outline
        from smartproxy_tw.service.openapi import description

        place = documents()[0].parent / "docs"
        text = (place / "commands.rst").read_text()
        for level in outline(_parser()):
            for word, _ in level.words:
                if level.path != ("completion",):
                    self.assertTrue(f"``{word}``" in text, word)
        for number, words in re.findall(r"^ +(\d+) +(.*)$", _EPILOG, re.MULTILINE):
            self.assertRegex(text, rf"(?m)^{number} +{re.escape(words.partition(' (')[0])}")
        operations = (place / "operations.rst").read_text()
        for path in description()["paths"]:
            self.assertTrue(f"{path}``" in operations or f"{path}?" in operations, path)


#: A line that somebody types: a prompt, sudo, a path, and one of our two commands; what
#: stands more than a space away is about it.
TYPED = re.compile(
    r"^(?:[$#] )?(?:.*&& )?(?:source <\()?(?:sudo )?(?:[\w./]*/)?(smartproxy|twistd)((?: [^ \n]+)+)",
    re.MULTILINE,
)


def isWord(word: str) -> bool:
    """
    Whether a word is the command's own, and not the shell's.
    """
    return word not in ("|", ">", "<", "&&", "&", ";")


def typed(text: str) -> Iterator[tuple[str, list[str]]]:
    """
    The commands that a document has people type: the program, and its words.
    """
    for language in ("text", "sh"):
        for block in blocks(text, language):
            for program, words in TYPED.findall(re.sub(r" *\\\n *", " ", block)):
                yield program, list(takewhile(isWord, shlex.split(words.rstrip(")"), comments=True)))


class TypedTests(SynchronousTestCase):
    """
    What the documents have people type.
    """

    def test_smartproxy(self) -> None:
        """
        Every line that begins with C{smartproxy} is one that the command takes.
        """
        from smartproxy_tw.cli import _parser

        seen = 0
        for document in documents():
            for program, words in typed(document.read_text()):
                # An answer begins with the name and the version.
                isAnswer = bool(re.match(r"\d+\.\d", words[0]))
                if program == "smartproxy" and not isAnswer and "--help" not in words:
                    seen += 1
                    with redirect_stderr(io.StringIO()) as said:
                        try:
                            _parser().parse_args(words)
                        except SystemExit:
                            self.fail(f"{document.name}: smartproxy {shlex.join(words)}: {said.getvalue()}")
        self.assertGreater(seen, 20)

    def test_twistd(self) -> None:
        """
        Every line that begins with C{twistd} has options that C{twistd} and our plugin
        take.
        """
        from twisted.scripts._twistd_unix import ServerOptions

        from smartproxy_tw.tap import Options

        seen = 0
        for document in documents():
            for program, words in typed(document.read_text()):
                if program != "twistd" or "smartproxy" not in words:
                    continue
                seen += 1
                place = words.index("smartproxy")
                own, ours = ServerOptions(), Options()  # type: ignore[no-untyped-call]
                for options, some in ((own, words[:place]), (ours, words[place + 1 :])):
                    known = {*options.longOpt, *(f"{each}=" for each in options.longOpt)}
                    for word in some:
                        if word.startswith("--"):
                            self.assertIn(word[2:].partition("=")[0], {each.rstrip("=") for each in known})
        self.assertGreater(seen, 3)


class ExampleTests(SynchronousTestCase):
    """
    The configurations that the documents show.
    """

    def test_yaml(self) -> None:
        """
        Each example in YAML is a whole configuration that loads without a word of
        complaint.
        """
        from smartproxy_tw.config.loading import loads

        directory = Path(self.mktemp())
        directory.mkdir()
        keys = ("intranet.pem", "intranet.key", "pebble.pem", "api.pem", "api.key", "clients-ca.pem")
        for name in (*keys, "404.html"):
            (directory / name).touch()
        (directory / "www").mkdir()
        (directory / "applications" / "shop").mkdir(parents=True)
        (directory / "applications" / "shop" / "web.py").write_text("app = None\n")
        (directory / "applications" / "daytime.py").write_text("Daytime = None\n")
        seen = 0
        for document in documents():
            for example in blocks(document.read_text(), "yaml"):
                seen += 1
                config = loads(example, "yaml", str(directory), environ={"HOME": "/home/me"})
                self.assertTrue(config.routes, f"{document.name} shows a configuration without routes")
        self.assertGreater(seen, 5)

    def test_python(self) -> None:
        """
        Each example in Python compiles, and every name that it imports from here
        exists.
        """
        for document in documents():
            for example in blocks(document.read_text(), "python"):
                compile(example, document.name, "exec")
                for line in example.splitlines():
                    if re.match(r"(from|import) (smartproxy_tw|twisted)", line):
                        exec(line, {})

    def test_version(self) -> None:
        """
        The news speak of this version or of the next.
        """
        news = (CHECKOUT / "NEWS.rst").read_text()
        fragments = list((CHECKOUT / "newsfragments").glob("+*.rst"))
        self.assertTrue(f"smartproxy_tw {smartproxy_tw.__version__} " in news or fragments)
