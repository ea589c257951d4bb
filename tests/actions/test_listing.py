"""
Tests for L{smartproxy_tw.actions.listing}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.listing import MOST, page

FILE = os.stat_result((0o100644, 1, 1, 1, 0, 0, 1234567, 0, 0, 0))


class PageTests(SynchronousTestCase):
    """
    L{page}.
    """

    def test_order(self) -> None:
        """
        Directories come first, each kind by name.
        """
        text = page("/x/", [(b"b", False, FILE), (b"a", False, FILE), (b"z", True, FILE)]).decode()
        places = [text.index(f">{name}</a>") for name in ("../", "z/", "a", "b")]
        self.assertEqual(places, sorted(places))
        self.assertIn("1,234,567", text)

    def test_links(self) -> None:
        """
        How long a link is says nothing of what it leads to, and is not told.
        """
        link = os.stat_result((0o120777, 1, 1, 1, 0, 0, 7654321, 0, 0, 0))
        text = page("/", [(b"a", False, FILE), (b"b", False, link)]).decode()
        self.assertIn("1,234,567", text)
        self.assertNotIn("7,654,321", text)

    def test_escaped(self) -> None:
        """
        Neither the path nor a name ends where it should not; other bytes than UTF-8 keep their link.
        """
        text = page("/%3Cb%3E%22/", [(b'"><script>', False, FILE), (b"\xff", False, FILE)]).decode()
        self.assertNotIn("<b>", text)
        self.assertNotIn("<script>", text)
        self.assertIn('href="./%FF"', text)

    def test_bounded(self) -> None:
        """
        A list has an end.
        """
        text = page("/", ((b"%d" % each, False, FILE) for each in range(MOST + 1))).decode()
        self.assertEqual(text.count("<a href"), MOST)
        self.assertIn(f"only {MOST} are listed", text)
