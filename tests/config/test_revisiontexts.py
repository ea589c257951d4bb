"""
Tests for L{smartproxy_tw.config.revisiontexts}.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.revisiontexts import (
    changedField,
    mediaType,
    pathTemplate,
    prefix,
    reaches,
    removedField,
    replacement,
)
from smartproxy_tw.wire.target import Resolved, resolve

from ..examples import anyText, examples

READERS: tuple[Callable[[str], str], ...] = (
    mediaType,
    pathTemplate,
    prefix,
    replacement,
    lambda text: changedField(text, isRequest=True),
    lambda text: removedField(text, isRequest=False),
)


class GrammarTests(SynchronousTestCase):
    """
    The small grammars; what they refuse is held by L{tests.config.test_revisionsection}.
    """

    def test_fields(self) -> None:
        """
        Names stay as they are written, those that are removed are in lower case.
        """
        self.assertEqual(changedField("X-A_b", isRequest=True), "X-A_b")
        self.assertEqual(removedField("X-A*", isRequest=True), "x-a*")
        self.assertEqual(changedField("Host", isRequest=True), "Host")
        self.assertRaises(ValueError, changedField, "Content_Length", isRequest=True)
        self.assertRaises(ValueError, changedField, "Expect", isRequest=True)

    def test_reaches(self) -> None:
        """
        What is beyond reach on one way need not be on the other.
        """
        for name, onRequest, onAnswer in (
            ("x", True, True),
            ("host", False, True),
            ("x-forwarded-for", False, True),
            ("x_real_ip", False, True),
            ("date", True, False),
            ("connection", False, False),
        ):
            found = reaches(name, isRequest=True), reaches(name, isRequest=False)
            self.assertEqual(found, (onRequest, onAnswer), name)

    def test_prefixes(self) -> None:
        """
        A prefix has no slash at its end, and a path that begins with it is resolved already.
        """
        self.assertEqual(prefix("/a/b%20c/"), "/a/b%20c")
        for text in ("/.", "/%2E%2e/a", "/a//b", "a", "", "/", "/a?b", "/\u00fc"):
            self.assertRaises(ValueError, prefix, text)

    @examples(200)
    @given(anyText(12) | st.text(alphabet="/.%2eaA*:{}", max_size=12))
    def test_anything(self, text: str) -> None:
        """
        Only ValueErrors escape, and a prefix is one that a path can begin with.
        """
        for reader in READERS:
            try:
                reader(text)
            except ValueError:
                continue
        try:
            found = prefix(text)
        except ValueError:
            return
        resolved = resolve(found.encode("ascii"))
        assert isinstance(resolved, Resolved)
        self.assertEqual(resolved.path, found.encode("ascii"))
