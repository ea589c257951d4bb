"""
Tests for L{smartproxy_tw.config.tomlfile}.
"""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.document import find, plain
from smartproxy_tw.config.tomlfile import read

from ..examples import examples

TEXT = '''\
bind = ["127.0.0.1", # one ]
  "::1"]
log.format = "json"
"access_log" = {format = "off", file = 'a#b'}

[acme]
email = """
x"y""z@example.com"""   # a comment = 3

[[routes]]
name = 'first'
match = {ports = [1, {from = 2, to = 3}]}
[routes.action]
type = "block"
[[routes]]
  name = """a""\\""""
  [routes.match]
  ports = 7
  when = 1979-05-27 07:32:00
  [[routes.match.deep]]
  x.y = 1
  [[routes.match.deep]]
  x.y = 2
'''


class TOMLTests(SynchronousTestCase):
    """
    What a text means, and where its parts stand.
    """

    def mistakes(self, text: str) -> list[str]:
        """
        What is wrong with a text.
        """
        problems: list[Any] = []
        self.assertIsNone(read(text, "f", problems))
        return [str(problem) for problem in problems]

    def test_values(self) -> None:
        """
        The values are the standard library's.
        """
        problems: list[Any] = []
        root = read(TEXT, "f", problems)
        assert root is not None
        self.assertEqual(plain(root), tomllib.loads(TEXT))
        self.assertEqual(problems, [])

    def test_places(self) -> None:
        """
        Keys and values are found through tables, inline tables, arrays of tables,
        dotted keys, comments and every kind of string.
        """
        root = read(TEXT, "f", [])
        assert root is not None
        for path, atKey, line, column in (
            (("bind", 1), False, 2, 3),
            (("log", "format"), False, 3, 14),
            (("log", "format"), True, 3, 1),
            (("access_log", "file"), False, 4, 40),
            (("acme",), False, 6, 2),
            (("acme", "email"), False, 7, 9),
            (("routes",), False, 10, 3),
            (("routes", 0), False, 10, 1),
            (("routes", 0, "match", "ports", 1, "to"), False, 12, 38),
            (("routes", 0, "match", "ports", 1, "to"), True, 12, 33),
            (("routes", 0, "action", "type"), False, 14, 8),
            (("routes", 1), False, 15, 1),
            (("routes", 1, "name"), False, 16, 10),
            (("routes", 1, "match", "ports"), True, 18, 3),
            (("routes", 1, "match", "when"), False, 19, 10),
            (("routes", 1, "match", "deep", 1, "x", "y"), False, 23, 9),
        ):
            mark = find(root, path, atKey)[1]
            self.assertEqual((mark.line, mark.column), (line, column), path)

    def test_carriageReturns(self) -> None:
        """
        Lines that end in CR LF are counted once.
        """
        root = read("a = 1\r\nb = 2\r\n", "f", [])
        assert root is not None
        self.assertEqual(find(root, ("b",))[1].line, 2)

    def test_syntax(self) -> None:
        """
        What is not TOML is told with its place, its end included.
        """
        self.assertEqual(self.mistakes("a = 1\nb ="), ["f:2:4: not valid TOML: invalid value"])
        self.assertEqual(self.mistakes("a = 1\na = 2\n"), ["f:2:6: not valid TOML: cannot overwrite a value"])
        (mistake,) = self.mistakes("[a\nb = 1")
        self.assertIn("f:1:3: not valid TOML: expected ']'", mistake)

    def test_bounds(self) -> None:
        """
        Depth and digits are bounded.
        """
        for text in ("a = " + "[" * 5000, "a = " + "[" * 100 + "]" * 100, ".".join("a" * 100) + " = 1"):
            (mistake,) = self.mistakes(text)
            self.assertEqual(mistake, "f: tables and arrays nest more than 64 deep")
        (mistake,) = self.mistakes("a = " + "9" * 5000)
        self.assertIn("too many digits", mistake)

    def test_empty(self) -> None:
        """
        Nothing, and comments only, are no tree and no mistake.
        """
        for text in ("", "# x\n"):
            self.assertEqual(self.mistakes(text), [])

    @examples(60)
    @given(
        st.dictionaries(
            st.sampled_from(["a", "b-c", "'d e'", '"f\\n"', "g.h", '"i.j"."k"']),
            st.sampled_from(
                [
                    "1",
                    "'x # y'",
                    '"[]{}=\\""',
                    "[1, [2, 3], # c\n]",
                    "{x = 1, 'y z' = [{q = 2}]}",
                    "'''\na'b'''",
                    "1.5e3",
                ]
            ),
            min_size=1,
        )
    )
    def test_everyKeyIsFound(self, pairs: dict[str, str]) -> None:
        """
        Whatever is written, each key is found on the line that it was written on.
        """
        text, lines, line = "", {}, 1
        for key, value in pairs.items():
            lines[key] = line
            text += f"{key} = {value}\n"
            line = text.count("\n") + 1
        root = read(text, "f", [])
        assert root is not None
        for key, expected in lines.items():
            path = list(self._path(tomllib.loads(f"{key} = 1")))
            self.assertEqual(find(root, path, atKey=True)[1].line, expected, text)

    def _path(self, value: Any) -> Any:
        while isinstance(value, dict):
            ((key, value),) = value.items()
            yield key

    @examples(60)
    @given(st.text(alphabet="ab=[]{}\"'#.,\\ \n1", max_size=40))
    def test_anything(self, text: str) -> None:
        """
        Exactly what the standard library refuses is refused.
        """
        problems: list[Any] = []
        node = read(text, "f", problems)
        try:
            value = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            self.assertTrue(problems)
        else:
            self.assertEqual(problems, [])
            self.assertEqual({} if node is None else plain(node), value)
