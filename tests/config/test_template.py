"""
Tests for L{smartproxy_tw.config.template}.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.template import TEMPLATE

from .reading import understood


class TemplateTests(SynchronousTestCase):
    """
    The configuration to start with.
    """

    def test_asItIs(self) -> None:
        """
        It is right as it is written.
        """
        config = understood(TEMPLATE)
        self.assertEqual([route.name for route in config.routes], ["example.com", "example.com (to https)"])

    def test_everythingInIt(self) -> None:
        """
        With every example in it taken out of its comment it is right too.
        """
        whole, number = re.subn(r"(?m)^(\s*)#(?=\S)", r"\1", TEMPLATE)
        self.assertGreater(number, 20)
        config = understood(whole)
        self.assertEqual(
            [route.name for route in config.routes if "(to https)" not in route.name],
            [
                "health",
                "api",
                "static",
                "mail",
                "database",
                "example.com",
                "shop.example.com",
                "www.shop.example.com",
                "intranet.localhost",
            ],
        )
        self.assertEqual(config.acme.email, "ops@example.com")

    def test_ascii(self) -> None:
        """
        It is short lines of ASCII, so that every editor shows it.
        """
        self.assertTrue(TEMPLATE.isascii())
        self.assertLess(max(map(len, TEMPLATE.split("\n"))), 90)
