"""
Tests for L{smartproxy_tw.config.reference}.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from smartproxy_tw.config.reference import render
from smartproxy_tw.config.schema import jsonSchema


class RenderTests(SynchronousTestCase):
    """
    The reference of all options.
    """

    def test_everyOption(self) -> None:
        """
        Each option has its entry, with its meaning below.
        """
        text = render()
        schema = jsonSchema()
        for definition in [schema, *schema["$defs"].values()]:
            for name, option in definition["properties"].items():
                entry = re.compile(rf"^``{name}`` : .+\n    (.+)$", re.MULTILINE)
                meanings = [found.replace("``", "`") for found in entry.findall(text)]
                self.assertIn(option["description"], meanings, name)

    def test_entries(self) -> None:
        """
        Entries tell kind, bounds and default.
        """
        text = render()
        for line in (
            "``head`` : number above 0, up to 604800, default ``10``",
            "``http_port`` : whole number from 1 to 65535, default ``80``",
            "``www`` : ``redirect`` or ``none``, default ``none``",
            "``enabled`` : ``true`` or ``false``, default ``true``",
            "``match`` : mapping (`routes.match`_), needed",
            "``certificate`` : ``auto`` or ``internal`` or mapping (`Certificate files`_), default ``auto``",
            "``challenges`` : list of (``http-01`` or ``tls-alpn-01`` or ``dns-01``)",
            "``bind`` : text, or a list of these",
            (
                "``ports`` : whole number from 1 to 65535 or mapping (`A range of ports`_), or a list of "
                "these, needed"
            ),
        ):
            self.assertIn(f"\n{line}\n", text)

    def test_links(self) -> None:
        """
        Every section that is linked to exists, once.
        """
        text = render()
        titles = re.findall(r"^(.+)\n-+$", text, re.MULTILINE)
        self.assertEqual(len(titles), len(set(titles)))
        linked = set(re.findall(r"`([^`]+)`_", text))
        self.assertEqual(linked - set(titles), set())
        self.assertEqual(set(titles) - linked, {"The whole file"})

    def test_markup(self) -> None:
        """
        It is reStructuredText without a warning.
        """
        try:
            from docutils.core import publish_doctree
        except ImportError:
            raise SkipTest("docutils is not installed") from None
        publish_doctree(render(), settings_overrides={"halt_level": 2, "report_level": 5})
