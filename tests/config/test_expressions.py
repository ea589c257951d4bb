"""
Tests for L{smartproxy_tw.config.expressions}.
"""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from time import process_time
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from smartproxy_tw.config.expressions import Exactly, expression, shown

from ..examples import anyText, examples


class GlobTests(SynchronousTestCase):
    """
    Texts and globs.
    """

    def test_matches(self) -> None:
        """
        A star is any characters or none, everything else is itself.
        """
        for text, matching, others in [
            ("beta", ["beta"], ["Beta", "beta ", "", "abeta"]),
            ("", [""], ["a"]),
            ("*", ["", "a", "a\nb", "ü"], []),
            ("beta-*", ["beta-", "beta-1"], ["beta", "abeta-1"]),
            ("*.x", [".x", "a.x"], ["ax", "a.xy"]),
            ("a*a", ["aa", "aba"], ["a", "ab"]),
            ("*curl*", ["curl/8", "a curl"], ["cur l"]),
            ("a*b*c", ["abc", "a1b2c", "abbc"], ["acb", "ab", "bc"]),
            ("a**b", ["ab", "axb"], ["a"]),
            ("[a]?", ["[a]?"], ["a", "ab", "a?"]),
            ("/", ["/"], ["a"]),
        ]:
            for value in matching:
                self.assertTrue(expression(text).matches(value), (text, value))
            for value in others:
                self.assertFalse(expression(text).matches(value), (text, value))

    @examples(400)
    @given(st.text(alphabet="ab*", max_size=9), st.text(alphabet="ab", max_size=14))
    def test_globs(self, glob: str, value: str) -> None:
        """
        A glob is what the regular expression of the same meaning is.
        """
        wanted = re.fullmatch(".*".join(map(re.escape, glob.split("*"))), value) is not None
        self.assertIs(expression(glob).matches(value), wanted)

    def test_time(self) -> None:
        """
        The worst glob for the longest value that a head has is no burden.
        """
        begin = process_time()
        for glob in ("*" + "a*" * 400 + "b", "*" + "a" * 500 + "b*", "*aab" * 200):
            self.assertFalse(expression(glob).matches("a" * 65536))
        self.assertLess(process_time() - begin, 0.5)

    def test_tooLong(self) -> None:
        """
        There is a bound for what is written too.
        """
        self.assertEqual(expression("a" * 1000), Exactly("a" * 1000))
        self.assertIn("longer than 1000", str(self.assertRaises(ValueError, expression, "a" * 1001)))

    def test_shown(self) -> None:
        """
        What a secret has to be is not shown.
        """
        self.assertEqual(shown("x-beta", ("a", "b-*")), "'a' or 'b-*'")
        for name in ("Authorization", "cookie", "x-origin-secret", "X-Api-Key", "token"):
            self.assertEqual(shown(name, ("hush",)), "(hidden)")


class RegularTests(SynchronousTestCase):
    """
    Regular expressions.
    """

    def setUp(self) -> None:
        """
        Their library is an extra.
        """
        if find_spec("re2") is None:
            raise SkipTest("google-re2 is not there: pip install 'smartproxy_tw[regex]'")

    def test_matches(self) -> None:
        """
        They are looked for anywhere in the value; a line break is a character
        like others.
        """
        for text, matching, others in [
            ("/be+ta/", ["xbeeta", "beta"], ["bta", "BETA"]),
            ("/^v[0-9]+$/", ["v1", "v12"], ["v", "av1", "v1a", "v1\n", "x\nv1"]),
            ("/(?i)beta/", ["BeTa"], ["bta"]),
            ("/^a.b$/", ["a\nb", "aüb"], ["ab"]),
            ("///", ["/", "a/b"], ["a"]),
        ]:
            for value in matching:
                self.assertTrue(expression(text).matches(value), (text, value))
            for value in others:
                self.assertFalse(expression(text).matches(value), (text, value))

    def test_refused(self) -> None:
        """
        What cannot be promised to be quick, or is none, is refused when it is
        read.
        """
        for text in (
            r"/(a)\1/",
            "/(?=a)b/",
            "/(?<!a)b/",
            "/(/",
            "/[/",
            "//",
            "/((a{900}){900}){900}/",
            "/\ud800/",
        ):
            error = self.assertRaises(ValueError, expression, text)
            self.assertIn("regular expression", str(error))

    def test_time(self) -> None:
        """
        What takes other engines for ever takes no time.
        """
        begin = process_time()
        for text in ("/^(a+)+$/", "/^(a|aa)*$/", "/(.*)*x.*y/", "/(a|b)*a(a|b){30}$/", "/a*a*a*a*a*b/"):
            self.assertFalse(expression(text).matches("a" * 65536 + "!"), text)
        self.assertLess(process_time() - begin, 1.0)

    @examples(200)
    @given(
        anyText(12) | st.text(alphabet="^$.*+?()[]{}|\\ab1,-:<>", max_size=12),
        anyText(12) | st.text("ab1", max_size=12),
    )
    def test_anything(self, text: str, value: str) -> None:
        """
        Whatever is written, it is one, or a ValueError; and no value is too
        much for it.
        """
        try:
            found = expression(f"/{text}/")
        except ValueError:
            return
        found.matches(value.encode("utf-8", "replace").decode("utf-8", "replace"))


class WithoutTests(SynchronousTestCase):
    """
    Where the library is not there.
    """

    def test_told(self) -> None:
        """
        It is said what to install; globs work all the same.
        """
        with patch.dict(sys.modules, {"re2": None}):
            self.told()

    def told(self) -> None:
        """
        What is said.
        """
        error = self.assertRaises(ValueError, expression, "/a/")
        self.assertIn("pip install 'smartproxy_tw[regex]'", str(error))
        self.assertTrue(expression("a*").matches("ab"))
