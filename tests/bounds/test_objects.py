"""
Tests for L{smartproxy_tw.bounds.objects}.
"""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis.strategies import binary
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.bounds.objects import objectIn

from ..examples import examples


class ObjectTests(SynchronousTestCase):
    """
    L{objectIn}.
    """

    def test_object(self) -> None:
        """
        An object is what it says, be it bytes or text, and whatever is in it.
        """
        text = '{"a": [1, {"\\u00e4": null}], "b": "\u20ac"}'
        for each in (text, text.encode()):
            self.assertEqual(objectIn(each), {"a": [1, {"\xe4": None}], "b": "\u20ac"})
        self.assertEqual(objectIn("{}"), {})

    def test_none(self) -> None:
        """
        What is no JSON, nested without end, or something else than an object is told as what it is.
        """
        for text, said in (
            ("", "Expecting value"),
            ("{", "Expecting property name"),
            (b"\xff", "codec can't decode"),
            ("[]", "it is no JSON object"),
            ("null", "it is no JSON object"),
            ('"{}"', "it is no JSON object"),
            ("[" * 100_000, "it is nested too deeply"),
            ('{"a":' * 100_000, "it is nested too deeply"),
        ):
            with self.assertRaisesRegex(ValueError, said):
                objectIn(text)

    @examples(200)
    @given(binary(max_size=50))
    def test_anything(self, content: bytes) -> None:
        """
        Whatever it is, it is an object, or no sense.
        """
        try:
            found = objectIn(content)
        except ValueError:
            return
        self.assertEqual(objectIn(json.dumps(found)), found)
