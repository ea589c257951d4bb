"""
Tests for L{smartproxy_tw.config.jsonfile}.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.document import MAX_DEPTH, find, plain
from smartproxy_tw.config.jsonfile import read

from ..examples import anyText, examples

_TEXTS = anyText(12) | st.text(alphabet='ab"\\/\n\0\x7f\u2028', max_size=12)


class JSONTests(SynchronousTestCase):
    """
    What a text means, and where its parts stand.
    """

    def means(self, text: str) -> Any:
        """
        The value of a text without mistakes.
        """
        problems: list[Any] = []
        node = read(text, "f", problems)
        self.assertEqual(problems, [])
        assert node is not None
        return plain(node)

    def mistakes(self, text: str) -> list[str]:
        """
        What is wrong with a text.
        """
        problems: list[Any] = []
        read(text, "f", problems)
        self.assertTrue(problems)
        return [str(problem) for problem in problems]

    def test_values(self) -> None:
        """
        Every kind of value is read.
        """
        text = ' {"a": [1, -2.5, 1e3, true, false, null, "x\\u00fc\\ud83d\\ude00\\n"], "b": {}, "c": []}\n'
        self.assertEqual(self.means(text), json.loads(text))

    def test_places(self) -> None:
        """
        Keys and values are found by line and column, characters counted.
        """
        problems: list[Any] = []
        root = read('{"ä": 1,\n "routes": [\n  {"a": 5},   {"b":\n"x"}]}', "f", problems)
        assert root is not None
        for path, atKey, line, column in (
            (("ä",), False, 1, 7),
            (("routes",), False, 2, 2),
            (("routes", 0, "a"), False, 3, 9),
            (("routes", 0, "a"), True, 3, 4),
            (("routes", 1), False, 3, 15),
            (("routes", 1, "b"), False, 4, 1),
        ):
            mark = find(root, path, atKey)[1]
            self.assertEqual((mark.line, mark.column), (line, column), path)

    def test_duplicates(self) -> None:
        """
        A key given twice is told with its path.
        """
        self.assertEqual(
            self.mistakes('{"a": [{"b": 1,\n "b": 2}],\n"a": 3}'),
            ["f:2:2: a[0].b: is given twice: first in line 1", "f:3:1: a: is given twice: first in line 1"],
        )

    def test_syntax(self) -> None:
        """
        What is not JSON is told with its place and what was expected.
        """
        for text, mistake in (
            ('{"a":}', "1:6: not valid JSON: a value was expected"),
            ("[1,]", "1:4: not valid JSON: a value was expected"),
            ('{"a": 1,}', "1:9: not valid JSON: a key in double quotes was expected"),
            ("{a: 1}", "1:2: not valid JSON: a key in double quotes was expected"),
            ('{"a" 1}', "1:6: not valid JSON: a colon was expected"),
            ('{"a": 1\n"b": 2}', "2:1: not valid JSON: a comma or } was expected"),
            ("[1 2]", "1:4: not valid JSON: a comma or ] was expected"),
            ("[1] 2", "1:5: not valid JSON: nothing may follow the end of the value"),
            ("[01]", "1:3: not valid JSON: a comma or ] was expected"),
            ("[NaN]", "1:2: not valid JSON: a value was expected"),
            ("[+1]", "1:2: not valid JSON: a value was expected"),
            ("// x", "1:1: not valid JSON: a value was expected"),
            ('["a', "1:2: not valid JSON: unterminated string starting"),
            ('["a\nb"]', "1:4: not valid JSON: invalid control character"),
            ('["\\x"]', "1:3: not valid JSON: invalid \\escape"),
            ("[1", "1:3: not valid JSON: a comma or ] was expected"),
            ("[", "1:2: not valid JSON: the text ends too early"),
            ('["\\ud800"]', "1:2: not valid JSON: the string that begins here has half of a surrogate pair"),
        ):
            self.assertEqual(self.mistakes(text), [f"f:{mistake}"])

    def test_bounds(self) -> None:
        """
        Depth and digits are bounded.
        """
        self.means("[" * MAX_DEPTH + "]" * MAX_DEPTH)
        self.assertIn("nest more than", self.mistakes("[" * 100000)[0])
        self.assertIn("too many digits", self.mistakes("9" * 5000)[0])
        self.assertEqual(self.means("1e999"), float("inf"))

    def test_empty(self) -> None:
        """
        Nothing is no tree and no mistake.
        """
        problems: list[Any] = []
        self.assertIsNone(read(" \n", "f", problems))
        self.assertEqual(problems, [])

    @examples(60)
    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | _TEXTS,
            lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner),
            max_leaves=20,
        ),
        st.sampled_from([None, 1]),
    )
    def test_asTheLibraryDoes(self, value: Any, indent: int | None) -> None:
        """
        Whatever the standard library writes is read as it was.
        """
        self.assertEqual(self.means(json.dumps(value, indent=indent)), value)

    @examples(150)
    @given(st.text(alphabet='[]{}:,"\\truefalsn0123.-+eE \n', max_size=30))
    def test_anything(self, text: str) -> None:
        """
        Exactly what the standard library refuses is refused, duplicates, bounds
        and its non-standard numbers aside.
        """
        problems: list[Any] = []
        read(text, "f", problems)
        if not text.strip() or any("twice" in problem.message for problem in problems):
            return
        try:
            json.loads(text)
        except ValueError:
            self.assertTrue(problems)
        else:
            self.assertEqual(problems, [])
