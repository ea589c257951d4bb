"""
What the documents claim and a machine can check: the commands, the examples, and the
wording that C{.ci/run} relies on.
"""

from __future__ import annotations

import configparser
import io
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

import smartproxy_tw

from .ports import freePorts
from .snippets import (
    CHECKOUT,
    NOT_RUN,
    NOT_TYPED,
    Command,
    Snippet,
    commands,
    documents,
    pieces,
    reasonFor,
    snippets,
)

reactor: Any = _reactor

RUN_THE_JOB = "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/twistd -n smartproxy --demo"
RUN_THE_TESTS = "python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox"


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


def typed() -> Iterator[tuple[Snippet, Command]]:
    """
    What the documents have people type.
    """
    for snippet in snippets():
        for command in commands(snippet):
            yield snippet, command


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
        for snippet, command in typed():
            program, *words = command.words
            if program == "smartproxy" and "--help" not in words:
                seen += 1
                with redirect_stderr(io.StringIO()) as said:
                    try:
                        _parser().parse_args(words)
                    except SystemExit:
                        self.fail(f"{snippet}: smartproxy {shlex.join(words)}: {said.getvalue()}")
        self.assertGreater(seen, 20)

    def test_twistd(self) -> None:
        """
        Every line that begins with C{twistd} has options that C{twistd} and our plugin
        take.
        """
        from twisted.scripts._twistd_unix import ServerOptions

        from smartproxy_tw.tap import Options

        seen = 0
        for _, command in typed():
            program, *words = command.words
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

    def test_nothingIsLeftOut(self) -> None:
        """
        What is shown is typed, or a configuration, or it is said what it is; and nothing is
        said of what is not there.
        """
        used = set()
        for snippet in snippets("text", "sh"):
            found = commands(snippet)
            for command in found:
                used |= {begins for begins in NOT_RUN if command.text.startswith(begins)}
            if found or isConfiguration(snippet):
                continue
            what = {begins for begins in NOT_TYPED if snippet.text.startswith(begins)}
            self.assertTrue(what, f"{snippet}: who proves this? {snippet.text}")
            used |= what
        self.assertEqual(used, {*NOT_RUN, *NOT_TYPED})


#: Languages of configurations, and how their files end.
CONFIGURATIONS = {"yaml": "yaml", "toml": "toml", "json": "json"}

#: Configurations that are another program's: the page, and a word in it.
OTHERS = (("tutorial.rst", "pebble"),)

#: What is added to a part of a configuration that has nothing to serve.
SITE = "\nsites: {added.example: 127.0.0.1:3000}\n"

#: Directories that examples name: they are somewhere else while they are tried.
ABSOLUTE = re.compile(r"(?<![\w.:/*-])/(?=(?:etc|var|srv|run|opt|home)/)")

#: A text that names a file, and one that names code.
FILE = re.compile(r"[\w./-]+\.(?:pem|crt|key|html|token|txt|json|yaml|sh|conf|htpasswd)")
CODE = re.compile(r"(?:python:)?(\w+(?:\.\w+)*)[.:](\w+)")

#: What environments of examples have.
ENVIRONMENT = {"HOME": "/home/me"}

#: What the code that examples name is.
MODULE = """
def {name}(*facts, **arguments):
    return "127.0.0.1:3000"
"""


def isConfiguration(snippet: Snippet) -> bool:
    """
    Whether it is a configuration of ours, or a part of one.
    """
    if any(snippet.document == page and word in snippet.text for page, word in OTHERS):
        return False
    if snippet.language in CONFIGURATIONS:
        return True
    try:
        found = yaml.safe_load(snippet.text)
    except yaml.YAMLError:
        return False
    return isinstance(found, dict) and found.keys() <= options()


@cache
def options() -> frozenset[str]:
    """
    The options of a configuration, at its top.
    """
    from smartproxy_tw.config.schema import jsonSchema

    return frozenset(jsonSchema()["properties"])


def scalars(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """
    The texts in a configuration, each with the key that it belongs to.
    """
    if isinstance(node, dict):
        for name, value in node.items():
            yield from scalars(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from scalars(value, key)
    elif isinstance(node, str):
        yield key, node


class ConfigurationTests(SynchronousTestCase):
    """
    The configurations that the documents show go through the whole of C{smartproxy check}.
    """

    def setUp(self) -> None:
        from smartproxy_tw.acme.x509 import selfSigned

        self.credential = selfSigned(["a.example"])
        for name, value in ENVIRONMENT.items():
            before = os.environ.get(name)
            os.environ[name] = value
            self.addCleanup(restore, os.environ, name, before)
        self.addCleanup(sys.path.__setitem__, slice(None), list(sys.path))
        self.addCleanup(forget, set(sys.modules))

    def provide(self, directory: Path, text: str) -> None:
        """
        What a configuration names is there.
        """
        base = directory
        for key, value in scalars(yaml.safe_load(text)):
            if value.startswith(f"{directory}/"):
                Path(value).parent.mkdir(parents=True, exist_ok=True)
            if key in ("root", "python_path"):
                (directory / value).mkdir(parents=True, exist_ok=True)
                base = directory / value if key == "python_path" else base
            elif key == "include":
                (directory / value).parent.mkdir(parents=True, exist_ok=True)
                (directory / value.replace("*", "one")).write_text(SITE.replace("added", "included"))
            elif FILE.fullmatch(value):
                (directory / value).parent.mkdir(parents=True, exist_ok=True)
                (directory / value).write_bytes(self.content(value))
        for key, value in scalars(yaml.safe_load(text)):
            code = CODE.fullmatch(value)
            if code is not None and (value.startswith("python:") or key == "factory"):
                module(base, code[1], MODULE.format(name=code[2]))

    def content(self, name: str) -> bytes:
        """
        Of a file.
        """
        if name.endswith(".key"):
            return self.credential.key
        if name.endswith((".pem", ".crt")):
            return self.credential.chain
        return b'{"keys": []}' if name.endswith(".json") else b"0123456789abcdef" * 4

    def check(self, text: str, language: str = "yaml") -> tuple[int, str]:
        """
        C{smartproxy check}: its status, and what it says.
        """
        from smartproxy_tw.cli import main

        directory = Path(self.mktemp()).resolve()
        directory.mkdir()
        text = ABSOLUTE.sub(f"{directory}/", text)
        if language == "yaml":
            self.provide(directory, text)
        file = directory / f"smartproxy.{CONFIGURATIONS[language]}"
        file.write_text(text)
        with redirect_stdout(io.StringIO()) as said, redirect_stderr(said):
            status = main(["check", str(file)])
        return status, said.getvalue()

    def test_check(self) -> None:
        """
        Nothing is wrong with any of them, and each serves something.
        """
        seen = 0
        for snippet in snippets():
            if not isConfiguration(snippet):
                continue
            seen += 1
            text, language = snippet.text, snippet.language
            if language not in CONFIGURATIONS:
                language = "yaml"
                text += SITE
            status, said = self.check(text, language)
            self.assertEqual(status, 0, f"{snippet}: {said}")
            self.assertRegex(said, r"\A\S+: [1-9]\d* routes? on [1-9]\d* ports?, nothing wrong", f"{snippet}")
        self.assertGreater(seen, 25)

    def test_looks(self) -> None:
        """
        What is wrong is found: a mistake in a key, and a key that belongs to no certificate.
        """
        (found,) = [each for each in snippets("yaml") if "cert: intranet.pem" in each.text]
        self.assertEqual(self.check(found.text)[0], 0)
        status, said = self.check(found.text.replace("targets", "target"))
        self.assertEqual(status, 3, said)
        status, said = self.check(found.text.replace("key: intranet.key", "key: intranet.pem"))
        self.assertIn("cannot be used", said)
        self.assertEqual(status, 3)

    def test_others(self) -> None:
        """
        What is another program's is well formed.
        """
        for snippet in snippets("json"):
            self.assertIsInstance(json.loads(snippet.text), dict, str(snippet))
        for snippet in snippets("ini"):
            parser = configparser.ConfigParser(comment_prefixes="#", strict=True, interpolation=None)
            parser.read_string(snippet.text)
            self.assertTrue(parser.sections(), str(snippet))

    def test_languages(self) -> None:
        """
        There is no language that nobody looks at.
        """
        known = {"text", "sh", "ini", "python", *CONFIGURATIONS}
        self.assertEqual({each.language for each in snippets()} - known, set())


def restore(mapping: Any, name: str, value: str | None) -> None:
    """
    Have a value be what it was.
    """
    if value is None:
        mapping.pop(name, None)
    else:
        mapping[name] = value


def forget(known: set[str]) -> None:
    """
    Forget the modules that came after these.
    """
    for name in set(sys.modules) - known:
        if not name.startswith(("smartproxy_tw", "twisted", "tests")):
            del sys.modules[name]


def module(directory: Path, name: str, text: str) -> None:
    """
    Write a module; packages around it are made.
    """
    *packages, last = name.split(".")
    for package in packages:
        directory = directory / package
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "__init__.py").touch()
    with (directory / f"{last}.py").open("a") as file:
        file.write(text)


#: What Python on the pages is run with: C{directory} and four free ports take the place of these.
PLACEHOLDERS = (
    ("/var/lib/shop/proxy", "{directory}/state"),
    ("8443", "{ports[0]}"),
    ("8080", "{ports[1]}"),
    ("2525", "{ports[2]}"),
)

#: The file that a page loads.
FILE_OF_THE_PAGE = """
bind: 127.0.0.1
state_dir: {directory}/first
routes:
  - name: first
    match: {{ports: {ports[3]}, domains: first.localhost}}
    action: {{type: respond, body: ok, tls: {{mode: terminate, certificate: internal}}}}
"""

#: Code of the reader's that pages name.
MODULES = {"shop.routing": MODULE.format(name="pick"), "shop": MODULE.format(name="pick")}


class Responder:
    """
    One of the reader's.
    """

    challenge_type = "dns-01"

    def start_responding(self, *words: object) -> None:
        """
        As txacme has it.
        """

    stop_responding = start_responding


async def ask(*words: object) -> str:
    """
    Somebody who knows.
    """
    return "127.0.0.1"


class PythonTests(TestCase):
    """
    The Python on the pages is run, page by page, each snippet after the one before it.
    """

    timeout = 300

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        self.addCleanup(forget, set(sys.modules))
        self.addCleanup(sys.path.__setitem__, slice(None), list(sys.path))
        sys.path.insert(0, str(self.directory))
        for name in ("shop", "shop.routing"):
            path = self.directory / name.replace(".", "/")
            path.mkdir(parents=True, exist_ok=True)
            (path / "__init__.py").write_text(MODULES[name])

    async def run_(self, page: list[Snippet]) -> dict[str, Any]:
        """
        Run a page, and start each proxy that it makes.

        @return: The names that it has in the end.
        """
        names: dict[str, Any] = {"responder": Responder(), "ask": ask}
        ports = freePorts(4)
        place = {"directory": self.directory, "ports": ports}
        (self.directory / "smartproxy.yaml").write_text(FILE_OF_THE_PAGE.format(**place))
        before = None
        for snippet in page:
            text = snippet.text
            for placeholder, value in PLACEHOLDERS:
                text = re.sub(rf"(?<!\w){placeholder}\b", value.format(**place), text)
            exec(compile(text, str(snippet), "exec"), names)
            proxy = names.get("proxy")
            if proxy is not before:
                if before is not None:
                    await before.stopService()
                before = proxy
                self.addCleanup(proxy.stopService)
                proxy.startService()
                await proxy.whenReady()
        return names

    def test_pages(self) -> Deferred[None]:
        """
        Each page runs to its end, and each proxy on it serves.
        """
        return Deferred.fromCoroutine(self._pages())

    async def _pages(self) -> None:
        found = snippets("python")
        self.assertGreater(len(found), 3)
        for document in dict.fromkeys(each.document for each in found):
            await self.run_([each for each in found if each.document == document])

    def test_embedding(self) -> Deferred[None]:
        """
        Routes come and go as that page says.
        """
        return Deferred.fromCoroutine(self._embedding())

    async def _embedding(self) -> None:
        from smartproxy_tw.config.model import Forward, Target

        names = await self.run_([each for each in snippets("python") if each.document == "embedding.rst"])
        proxy = names["proxy"]
        name = next(each.name for each in proxy.config.routes if isinstance(each.action, Forward))
        with redirect_stdout(io.StringIO()) as said:
            await names["move"](proxy, name, (Target("127.0.0.1", 9),))
        (moved,) = (each for each in proxy.config.routes if each.name == name)
        self.assertEqual(moved.action.targets, (Target("127.0.0.1", 9),))
        self.assertIn(name, said.getvalue())


class NewsTests(SynchronousTestCase):
    """
    What is told of versions.
    """

    def test_version(self) -> None:
        """
        The news speak of this version or of the next.
        """
        news = (CHECKOUT / "NEWS.rst").read_text()
        fragments = list((CHECKOUT / "newsfragments").glob("+*.rst"))
        self.assertTrue(f"smartproxy_tw {smartproxy_tw.__version__} " in news or fragments)


class SnippetTests(SynchronousTestCase):
    """
    How documents are read.
    """

    def test_pieces(self) -> None:
        """
        Blocks with and without a language are found, at their places and dedented; directives
        and prose are none.
        """
        text = (
            "Title\n=====\n\n.. note::\n\n   prose\n\nSo::\n\n   one\n\n     two\n\nor\n\n"
            ".. code-block:: yaml\n   :caption: x\n\n   a: 1\n\nend\n"
        )
        self.assertEqual(
            list(pieces("a.rst", text)),
            [Snippet("a.rst", 10, "text", "one\n\n  two\n"), Snippet("a.rst", 19, "yaml", "a: 1\n")],
        )

    def test_commands(self) -> None:
        """
        What is typed is told from what is printed and from what is said about it; a command
        may have several lines, and its own words are without the shell's.
        """
        text = (
            "$ smartproxy status\nsmartproxy 0.1.0, process 8: ready\n  more\n"
            "# A=$(b c) /opt/bin/smartproxy init x \\\n   y     and this is why\n# a remark\n"
            "smartproxy: Cannot\nsource <(smartproxy completion zsh)\nsudo cp a b && rm a > c &\n"
        )
        found = commands(Snippet("a.rst", 1, "sh", text))
        self.assertEqual(
            found,
            [
                Command("smartproxy status", ("smartproxy 0.1.0, process 8: ready", "  more")),
                Command("A=$(b c) /opt/bin/smartproxy init x y", ("smartproxy: Cannot",)),
                Command("source <(smartproxy completion zsh)"),
                Command("sudo cp a b && rm a > c"),
            ],
        )
        self.assertEqual(
            [each.words for each in found],
            [
                ["smartproxy", "status"],
                ["smartproxy", "init", "x", "y"],
                ["smartproxy", "completion", "zsh"],
                ["rm", "a"],
            ],
        )
        self.assertEqual(
            [reasonFor(each) is None for each in (*found, Command("systemctl start"))][-2:], [True, False]
        )
