"""
What a route changes, as values.
"""

from __future__ import annotations

from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.revision import (
    CODINGS,
    TYPES,
    Coding,
    Compress,
    ErrorPage,
    FieldChanges,
    Representation,
)


class RevisionTests(SynchronousTestCase):
    """
    What is there to be relied upon.
    """

    def test_nothing(self) -> None:
        """
        Changes that change nothing are none, whichever kind there would be is one.
        """
        self.assertFalse(FieldChanges())
        for changes in (
            FieldChanges(set=(("x", ""),)),
            FieldChanges(add=(("x", ""),)),
            FieldChanges(remove=("x",)),
        ):
            self.assertTrue(changes)

    def test_codings(self) -> None:
        """
        Every coding there is has its place among those that are preferred, once.
        """
        self.assertEqual(sorted(CODINGS), sorted(get_args(Coding)))
        self.assertEqual(Compress().encodings, CODINGS)

    def test_types(self) -> None:
        """
        What is compressed by itself is text: in lower case as types are compared, and nothing that is
        compressed already.
        """
        self.assertEqual([each for each in TYPES if each != each.lower() or each.count("/") != 1], [])
        self.assertEqual(len(set(TYPES)), len(TYPES))
        for coded in ("image/png", "image/*", "font/woff2", "application/zip", "video/*", "*/*"):
            self.assertNotIn(coded, TYPES)

    def test_quiet(self) -> None:
        """
        A page is not told whole wherever a configuration is.
        """
        page = ErrorPage("404", (Representation("text/html", "all of it", "/a.html"),))
        self.assertNotIn("all of it", repr(page))
        self.assertIn("/a.html", repr(page))
