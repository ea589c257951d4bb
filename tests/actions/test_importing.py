"""
Tests for L{smartproxy_tw.actions.importing}.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IProtocolFactory
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.importing import imported
from smartproxy_tw.config.application import Application

from . import samples

_NAME = "tests.actions.samples"


class ImportedTests(SynchronousTestCase):
    """
    L{imported}.
    """

    def test_kinds(self) -> None:
        """
        What something is is found out, but for protocols, which are told.
        """
        for name, kind, found in (
            ("wsgi", None, "wsgi"),
            ("loud", None, "wsgi"),
            ("asgi", None, "asgi"),
            ("page", None, "resource"),
            ("Page", None, "resource"),
            ("wsgi", "asgi", "asgi"),
            ("asgi", "asgi", "asgi"),
            ("Page", "resource", "resource"),
            ("factory", "protocol", "protocol"),
            ("Protocol", "protocol", "protocol"),
            ("Factory", "protocol", "protocol"),
        ):
            made = imported(Application(f"{_NAME}:{name}", kind))  # type: ignore[arg-type]
            self.assertEqual(made.kind, found, name)
            if found == "protocol":
                self.assertTrue(IProtocolFactory.providedBy(made.thing))
        self.assertIs(imported(Application(f"{_NAME}:page")).thing, samples.page)

    def refusal(self, name: str, kind: Any = None, arguments: str | None = None) -> str:
        """
        Why something is refused.
        """
        why = self.assertRaises(ValueError, imported, Application(name, kind, arguments))
        return str(why)

    def test_refused(self) -> None:
        """
        What is something else, or nothing, is refused in words that say which.
        """
        sample = f"{_NAME}:"
        for name, kind, words in (
            ("tests.nothing:app", None, "there is no module tests.nothing, neither where Python looks"),
            (sample + "nothing", None, "tests.actions.samples has no nothing"),
            (sample + "number", None, "is not a resource or an application but of type int"),
            (sample + "Loud", None, "is not a resource or an application but the class Loud"),
            (sample + "factory", None, "but of type Factory: it needs kind: protocol"),
            (sample + "Protocol", None, "but the class Protocol: it needs kind: protocol"),
            (sample + "page", "wsgi", "is not a WSGI application but of type Page"),
            (sample + "wsgi", "resource", "is not a resource (IResource) but of type function"),
            (
                sample + "page",
                "protocol",
                "is not a factory of protocols (IProtocolFactory) but of type Page",
            ),
        ):
            self.assertIn(words, self.refusal(name, kind))

    def test_arguments(self) -> None:
        """
        Arguments are given by name, and never told.
        """
        made = imported(Application(f"{_NAME}:Loud", None, '{"text": "x", "times": 2}'))
        self.assertEqual((made.kind, made.thing.body), ("wsgi", b"xx"))
        told = self.refusal(f"{_NAME}:Loud", None, '{"text": "hush", "times": -1}')
        self.assertIn("failed when it was called with text, times: ValueError: times is below zero", told)
        self.assertNotIn("hush", told)
        self.assertNotIn("hush", repr(Application("a:b", arguments='"hush"')))

    def test_path(self) -> None:
        """
        Modules are found where the configuration says; one that fails is no end of anything.
        """
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        self.patch(sys, "path", [*sys.path])
        (directory / "of_this_test.py").write_text("def app(environ, start): return []\n")
        (directory / "ending_in_this_test.py").write_text("raise SystemExit(3)\n")
        (directory / "broken_in_this_test.py").write_text("1 / 0\n")
        for name in ("of_this_test:app", "of_this_test.app"):
            made = imported(Application(name, pythonPath=(str(directory),)), ["/after"])
            self.assertEqual(made.kind, "wsgi")
        # Nothing there hides a module of the proxy's; its own directories come before those for all.
        self.assertEqual(sys.path[-2:], [str(directory), "/after"])
        self.assertIn("SystemExit", self.refusal("ending_in_this_test:app"))
        told = self.refusal("broken_in_this_test:app")
        self.assertIn(
            "broken_in_this_test:app cannot be imported: ZeroDivisionError: division by zero (line 1 of", told
        )
