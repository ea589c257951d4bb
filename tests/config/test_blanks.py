"""
Tests for L{smartproxy_tw.config.blanks}.
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.blanks import ERROR, GROUPS, REQUEST, Blank, BlankError, parameters, parse

from ..examples import anyText, examples


class ParseTests(SynchronousTestCase):
    """
    L{parse}.
    """

    def test_pieces(self) -> None:
        """
        Texts and blanks, in their order; two braces are one; what is like no blank is text.
        """
        for text, pieces in (
            ("", ()),
            ("a", ("a",)),
            ("{path}", (Blank("path"),)),
            ("a{path}{query}b", ("a", Blank("path"), Blank("query"), "b")),
            ("{header:X-Forwarded-For}", (Blank("header", "x-forwarded-for"),)),
            ("{param:Id}{param:*}", (Blank("param", "Id"), Blank("param", "*"))),
            ("{{path}", ("{path}",)),
            ("{{{path}", ("{", Blank("path"))),
            ('{"a": {"b": 1}}', ('{"a": {"b": 1}}',)),
            ("body{margin:0}p { color: red }", ("body{margin:0}p { color: red }",)),
            ("{", ("{",)),
            ("}", ("}",)),
            ("{}", ("{}",)),
            ("{Path}", ("{Path}",)),
        ):
            self.assertEqual(parse(text), pieces, text)

    def test_known(self) -> None:
        """
        What there is depends on where it stands.
        """
        for name in REQUEST:
            which = "a" if name[-1] == ":" else ""
            self.assertEqual(parse(f"{{{name}{which}}}"), (Blank(name.rstrip(":"), which),))
        self.assertEqual(parse("{status}{reason}", ERROR), (Blank("status"), Blank("reason")))
        self.assertEqual(parse("{1}{path}", GROUPS), (Blank("1"), Blank("path")))

    def test_unknown(self) -> None:
        """
        A word in braces that is no blank is a mistake, told with what was meant and where.
        """
        for text, known, why, at in (
            ("a{pth}", REQUEST, "uses {pth}, which does not exist; did you mean {path}?", 1),
            ("{clientip}", REQUEST, "did you mean {client_ip}?", 0),
            ("{headr:a}", REQUEST, "uses {headr:}, which does not exist; did you mean {header:NAME}?", 0),
            ("{zzz}", REQUEST, "{scheme}, {header:NAME}, {param:NAME} do (write {{ for a brace)", 0),
            ("{status}", REQUEST, "which there is only in error_pages", 0),
            ("{1}", REQUEST, "uses {1}, which does not exist", 0),
            ("{param}", REQUEST, "has to say which one: {param:NAME}", 0),
            ("x {port:1}", REQUEST, "nothing can stand behind port", 2),
            ("{header:(}", REQUEST, "is not the name of a header field", 0),
            ("{param:a-b}", REQUEST, "is not the name of a parameter of the path", 0),
            ("{header:}", REQUEST, "is not the name of a header field", 0),
        ):
            error = self.assertRaises(BlankError, parse, text, known)
            self.assertIn(why, str(error), text)
            self.assertEqual(error.at, at, text)

    def test_url(self) -> None:
        """
        In a URL no brace is text.
        """
        self.assertEqual(parse("/a{path}", isURL=True), ("/a", Blank("path")))
        for text, why in (
            ("{{", "brace without its partner"),
            ("a}", "brace without its partner"),
            ("{{path}", "brace without its partner"),
            ("{a b}", "uses {a b}, which does not exist"),
            ("{margin:0}", "uses {margin:}, which does not exist"),
        ):
            self.assertIn(why, str(self.assertRaises(BlankError, parse, text, isURL=True)), text)

    @examples(200)
    @given(st.text(alphabet='{}":a*- \n', max_size=20) | anyText(20))
    def test_anything(self, text: str) -> None:
        """
        Only the declared error escapes, and pieces are never empty nor two texts side by side.
        """
        for isURL in (False, True):
            try:
                pieces = parse(text, isURL=isURL)
            except BlankError as why:
                self.assertLess(why.at, len(text))
                continue
            self.assertTrue(all(pieces))
            for first, second in pairwise(pieces):
                self.assertFalse(isinstance(first, str) and isinstance(second, str))

    @examples(100)
    @given(anyText(20))
    def test_literal(self, text: str) -> None:
        """
        Whatever a text is, doubling its opening braces has it written as it is.
        """
        self.assertEqual("".join(map(str, parse(text.replace("{", "{{")))), text)


class ParameterTests(SynchronousTestCase):
    """
    L{parameters}.
    """

    def test_parameters(self) -> None:
        """
        Those of a path, and what its end stands for.
        """
        for path, names in (
            (None, set()),
            ("/a", set()),
            ("/*", {"*"}),
            ("/a/*", {"*"}),
            ("/u/:id/:x/y", {"id", "x"}),
            ("/u/:id/*", {"id", "*"}),
        ):
            self.assertEqual(parameters(path), names, path)
