"""
Tests for L{smartproxy_tw.config.layout}.
"""

from __future__ import annotations

import builtins
import re
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import layout
from smartproxy_tw.config.document import plain
from smartproxy_tw.config.errors import ConfigError, Problem
from smartproxy_tw.config.layout import LayoutMissing, Unkept, laidOut
from smartproxy_tw.config.template import TEMPLATE
from smartproxy_tw.config.yamlfile import read

from ..examples import anyText, examples

UNTIDY = """\
# head


sites:
    example.com:   127.0.0.1:3000     # one
    "b.example": {to: [127.0.0.1:1,   127.0.0.1:2], www: redirect}\x20\x20
routes:
- name: 'x'   # the x
  match: {ports: 80, path: /a}
  # inner
  action:
      type: respond
      body: |  # block
          hello
             there\x20\x20


          end
  # no comment of what follows
- name: y
  match:
    ports: [80, {from: 90, to: 95}]
  action: {type: block}
acme: &a {email: a@b.c}
# tail
"""

TIDY = """\
# head

sites:
  example.com: 127.0.0.1:3000         # one
  "b.example": {to: [127.0.0.1:1, 127.0.0.1:2], www: redirect}
routes:
  - name: 'x' # the x
    match: {ports: 80, path: /a}
    # inner
    action:
      type: respond
      body: |  # block
        hello
           there\x20\x20


        end
  # no comment of what follows
  - name: y
    match:
      ports: [80, {from: 90, to: 95}]
    action: {type: block}
acme: &a {email: a@b.c}
# tail
"""


_OTHERS = dict.fromkeys(map(ord, "\x85\u2028\u2029\ufeff"))
_TEXTS = st.one_of(
    anyText(30).map(lambda text: text.translate(_OTHERS)),
    st.text(alphabet="ab1 :#-'\"\n,[]{}&*!|>%@`~\t\\", max_size=30),
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)


def meaning(text: str) -> Any:
    """
    What it says.
    """
    problems: list[Problem] = []
    root = read(text, "x", problems)
    assert not problems, problems
    return None if root is None else plain(root)


class LayoutTests(SynchronousTestCase):
    """
    L{laidOut}.
    """

    def test_untidy(self) -> None:
        """
        What is laid out anew, and what stays.
        """
        self.assertEqual(laidOut(UNTIDY, "x"), TIDY)
        self.assertEqual(laidOut(TIDY, "x"), TIDY)

    def test_template(self) -> None:
        """
        What C{smartproxy init} writes is as it should be, with every option taken out of
        its comment too.
        """
        self.assertEqual(laidOut(TEMPLATE, "x"), TEMPLATE)
        whole = re.sub(r"(?m)^( *)#(?=\S)", r"\1", TEMPLATE)
        self.assertNotEqual(whole, TEMPLATE)
        self.assertEqual(meaning(laidOut(whole, "x")), meaning(whole))

    def test_words(self) -> None:
        """
        What YAML 1.1 would take for something else stays what it is here.
        """
        text = "a: on\nb: 22:22\nc: 1_000\nd: 0o17\ne: 010\nf: ~\ng: 'on'\nh: 1.0\ni: .5\nj: yes\nk: 0x1F\n"
        self.assertEqual(laidOut(text, "x").replace("f:\n", "f: ~\n"), text)

    def test_aliases(self) -> None:
        """
        Anchors, aliases and merge keys stay.
        """
        text = "base: &base\n  a: 1\nother:\n  <<: *base\n  b: 2\nsame: *base\nalone: &alone [1]\n"
        self.assertEqual(laidOut(text, "x"), text)

    def test_pairs(self) -> None:
        """
        A mapping of one key in a list on one line keeps its braces: without them it is read as the
        same, and people take it for something else.
        """
        text = "404: [404.html, {body: x}, {body: y}]\na: [{b: 1}]\n"
        self.assertEqual(laidOut(text, "x"), text)

    def test_nothing(self) -> None:
        """
        A text without a configuration keeps its comments.
        """
        self.assertEqual(laidOut("", "x"), "")
        self.assertEqual(laidOut("\n\n# one  \n\n\n\n# two", "x"), "# one\n\n# two\n")

    def test_lineEnds(self) -> None:
        """
        Lines that end as on Windows end as they do here afterwards.
        """
        self.assertEqual(laidOut("a: 1\r\nb: 2 # c\r\n", "x"), "a: 1\nb: 2 # c\n")

    def test_wrong(self) -> None:
        """
        What is no YAML is told as everywhere.
        """
        for text in ("a: [1", "a: 1\na: 2\n", "a: *b\n"):
            why = self.assertRaises(ConfigError, laidOut, text, "x")
            self.assertEqual(why.problems[0].file, "x")

    def test_unkept(self) -> None:
        """
        Whatever the library makes of a text: one that means something else, or has lost
        a comment, or never comes to rest, is refused.
        """
        for made, told in (
            ("a: 2 # c\n", "would mean something else"),
            ("a: true # c\n", "would mean something else"),
            ("a: 1.0 # c\n", "would mean something else"),
            ("b: 2\na: 1 # c\n", "would mean something else"),
            ("a: [ # c\n", "would mean something else"),
            ("a: 1\n", "would lose a comment"),
            ("a: 1 # d\n", "would lose a comment"),
        ):
            self.patch(layout, "_written", lambda text, made=made: made)
            text = "a: 1\nb: 2 # c\n" if made.startswith("b") else "a: 1 # c\n"
            why = self.assertRaises(Unkept, laidOut, text, "x")
            self.assertIn(told, str(why))
        self.patch(layout, "_written", lambda text: text + "# c\n" if text.count("#") > 1 else text)
        self.patch(layout, "_comments", lambda text: [])
        why = self.assertRaises(Unkept, laidOut, "a: 1 # c\n# d\n", "x")
        self.assertIn("once and for all", str(why))

    def test_missing(self) -> None:
        """
        Without the library it is told how to have it.
        """
        whole = builtins.__import__

        def without(name: str, *arguments: Any) -> Any:
            if name.startswith("ruamel"):
                raise ImportError(name)
            return whole(name, *arguments)

        self.patch(builtins, "__import__", without)
        why = self.assertRaises(LayoutMissing, laidOut, "a: 1\n", "x")
        self.assertIn("smartproxy_tw[fmt]", str(why))

    @examples(80)
    @given(_VALUES, st.booleans(), st.integers(2, 7), st.booleans())
    def test_anything(self, value: Any, isFlow: bool, indent: int, isCommented: bool) -> None:
        """
        Whatever is written, in whichever style: it means the same afterwards, has its
        comments, and stays; or it is left alone.
        """
        text = yaml.safe_dump(
            {"a": value, "b": 1}, default_flow_style=isFlow, indent=indent, allow_unicode=True
        )
        if isCommented:
            text = f"# above\n{text}# below\n"
        try:
            before = meaning(text)
        except AssertionError:
            return
        try:
            found = laidOut(text, "x")
        except Unkept:
            return
        self.assertEqual(meaning(found), before)
        self.assertEqual(laidOut(found, "x"), found)
        self.assertEqual(found.count("# above\n"), text.count("# above\n"))
