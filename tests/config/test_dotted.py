"""
What of Python is meant in a configuration.
"""

from __future__ import annotations

import pickle
from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.dotted import Reference, called, dotted, isDotted, reference


class DottedTests(SynchronousTestCase):
    """
    L{smartproxy_tw.config.dotted}.
    """

    def test_names(self) -> None:
        """
        A module and what is in it; it is told as it is written, and travels.
        """
        found = reference("python:shop.pick.host")
        self.assertEqual(found, Reference("shop.pick.host"))
        self.assertEqual(str(found), "python:shop.pick.host")
        self.assertEqual(pickle.loads(pickle.dumps(found)), found)
        self.assertTrue(isDotted("python:anything"))
        self.assertFalse(isDotted("shop.pick"))
        self.assertEqual(reference("python:shop.pick:host.of"), Reference("shop.pick:host.of"))

    def test_wrong(self) -> None:
        """
        What is no name is refused in words.
        """
        for text, why in (
            ("", "no dotted name"),
            ("pick", "module.pick"),
            ("shop..pick", "no dotted name"),
            ("shop.pick()", "no dotted name"),
            ("shop:pick:it", "no dotted name"),
            ("shop:", "no dotted name"),
            (":pick", "no dotted name"),
            ("shop.class", "no dotted name"),
            ("shop." + "x" * 300, "longer than 300"),
        ):
            self.assertIn(why, str(self.assertRaises(ValueError, dotted, text)))
        self.assertIn("python:", str(self.assertRaises(ValueError, reference, "shop.pick")))

    @given(st.text(alphabet="ab.:é_1 \n"))
    def test_anything(self, text: str) -> None:
        """
        Whatever the text, it is a name that can be read again, or refused.
        """
        try:
            found = reference(f"python:{text}")
        except ValueError:
            return
        self.assertEqual(reference(str(found)), found)

    def test_called(self) -> None:
        """
        The thing itself is called by where it is from.
        """
        self.assertEqual(called(Reference("a.b")), "python:a.b")
        self.assertEqual(called(dotted), "python:smartproxy_tw.config.dotted.dotted")
        self.assertEqual(called(partial(dotted, "a.b")), "python:functools.partial")
