"""
Tests for L{smartproxy_tw.config.yamlfile}.
"""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.document import MAX_DEPTH, find, plain
from smartproxy_tw.config.yamlfile import read

from ..examples import examples

#: libyaml's parser, where PyYAML was built with it, and the one in Python: what they
#: read has to be the same.
LOADERS = [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)]


class YAMLTests(SynchronousTestCase):
    """
    What a text means, and where its parts stand.
    """

    def means(self, text: str) -> Any:
        """
        What both parsers make of a text without mistakes.
        """
        found = []
        for loader in LOADERS:
            problems: list[Any] = []
            node = read(text, "f", problems, loader)
            self.assertEqual(problems, [])
            assert node is not None
            found.append(plain(node))
        self.assertEqual(found[0], found[1])
        return found[0]

    def mistakes(self, text: str) -> list[str]:
        """
        What libyaml's parser finds wrong; the other one finds as much.
        """
        found: list[list[Any]] = [[], []]
        for loader, problems in zip(LOADERS, found, strict=True):
            read(text, "f", problems, loader)
        self.assertEqual(len(found[0]), len(found[1]))
        self.assertTrue(found[0])
        return [str(problem) for problem in found[1]]

    def test_core(self) -> None:
        """
        Plain scalars mean what the core schema of YAML 1.2 says.
        """
        self.assertEqual(
            self.means("[~, null, Null, NULL, '', true, True, TRUE, false, False, FALSE]"),
            [None, None, None, None, "", True, True, True, False, False, False],
        )
        self.assertEqual(
            self.means("[1, -2, +3, 010, 0o17, 0x1F, 1.5, .5, 5., 1e3, -1E-2, -.inf, .Inf]"),
            [1, -2, 3, 10, 15, 31, 1.5, 0.5, 5.0, 1000.0, -0.01, float("-inf"), float("inf")],
        )
        for loader in LOADERS:
            node = read(".nan", "f", [], loader)
            assert node is not None
            self.assertNotEqual(node.value, node.value)

    def test_notOneDotOne(self) -> None:
        """
        What only YAML 1.1 took for something else is text.
        """
        words = ["on", "off", "yes", "No", "y", "22:22", "1_000", "0b1", "0o8", "2001-01-01", "1e", "+", "."]
        self.assertEqual(self.means(f"[{', '.join(words)}]"), words)

    def test_quoted(self) -> None:
        """
        Quotes and blocks make text of anything, and a tag can say so too.
        """
        self.assertEqual(self.means("['1', \"true\", !!str 1, ! 2]"), ["1", "true", "1", "2"])
        self.assertEqual(self.means("a: |\n  1\nb: >-\n  x\n  y"), {"a": "1\n", "b": "x y"})

    def test_tags(self) -> None:
        """
        Tags of the core schema are fine where they fit.
        """
        self.assertEqual(
            self.means("!!map {a: !!int '3', b: !!float 3, c: !!bool 'true', d: !!seq [!!null '']}"),
            {"a": 3, "b": 3, "c": True, "d": [None]},
        )

    def test_badTags(self) -> None:
        """
        Tags that do not fit, and any that would make objects, are told.
        """
        for tag in ("!!python/object:os.system x", "!mine x", "!!int x", "!!int true", "!!set {a}"):
            (mistake,) = self.mistakes(f"a: {tag}")
            self.assertIn("f:1:4: the tag !", mistake)

    def test_keys(self) -> None:
        """
        A key is its text, whatever it would mean as a value.
        """
        self.assertEqual(self.means("{on: 1, 443: 2, true: 3, ~: 4}"), {"on": 1, "443": 2, "true": 3, "~": 4})

    def test_keysOfOtherKinds(self) -> None:
        """
        A key that is a list, a mapping or a number by its alias is told.
        """
        self.assertEqual(
            self.mistakes("? [a]\n: b"), ["f:1:3: a key has to be text, not a list or a mapping"]
        )
        self.assertEqual(self.mistakes("a: &n 3\n*n : b"), ["f:2:1: a key has to be text"])

    def test_places(self) -> None:
        """
        Keys and values are found by line and column, characters counted.
        """
        problems: list[Any] = []
        root = read("ä: ü\nroutes:\n  - {a: 1, b:   2}\n  - c:\n      x", "f", problems)
        assert root is not None
        self.assertEqual((root.value["ä"].mark.line, root.value["ä"].mark.column), (1, 4))
        for path, atKey, line, column in (
            (("routes",), False, 2, 1),
            (("routes", 0), False, 3, 5),
            (("routes", 0, "b"), False, 3, 17),
            (("routes", 0, "b"), True, 3, 12),
            (("routes", 1, "c"), False, 5, 7),
        ):
            mark = find(root, path, atKey)[1]
            self.assertEqual((mark.line, mark.column), (line, column), path)

    def test_duplicates(self) -> None:
        """
        A key given twice is told with its path, for every time but the first.
        """
        self.assertEqual(
            self.mistakes("a:\n- b: 1\n  b: 2\n  'b': 3\na: 4"),
            [
                "f:3:3: a[0].b: is given twice: first in line 2",
                "f:4:3: a[0].b: is given twice: first in line 2",
                "f:5:1: a: is given twice: first in line 1",
            ],
        )

    def test_aliases(self) -> None:
        """
        Aliases stand for what was anchored, also as keys.
        """
        self.assertEqual(
            self.means("a: &x {b: [1]}\nc: *x\n&k d: *k"), {"a": {"b": [1]}, "c": {"b": [1]}, "d": "d"}
        )

    def test_badAliases(self) -> None:
        """
        Aliases without anchor, and inside of what they name, are told.
        """
        for text in ("a: *b", "a: &b [*b]", "&r a: {b: &c {d: *c}}"):
            (mistake,) = self.mistakes(text)
            self.assertIn("the alias *", mistake)

    def test_merge(self) -> None:
        """
        Merge keys add what a mapping does not say itself, earlier sources first,
        wherever they stand.
        """
        self.assertEqual(
            self.means("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {<<: [*x, *y], c: 3}\nw: {a: 9, <<: *x}")[
                "z"
            ],
            {"a": 1, "b": 1, "c": 3},
        )
        self.assertEqual(self.means("x: &x {a: 1}\nw: {<<: *x, a: 9}")["w"], {"a": 9})
        self.assertEqual(self.means("'<<': 1"), {"<<": 1})

    def test_badMerge(self) -> None:
        """
        Only mappings can be merged.
        """
        for text in ("<<: 1", "x: &x [1]\ny: {<<: *x}"):
            (mistake,) = self.mistakes(text)
            self.assertIn("<< takes a mapping", mistake)

    def test_bomb(self) -> None:
        """
        Aliases of aliases cannot multiply without bound, neither as values nor
        by merging.
        """
        text = "l0: &l0 [x,x,x,x,x,x,x,x,x,x]\n"
        text += "".join(f"l{n}: &l{n} [{','.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 20))
        (mistake,) = self.mistakes(text)
        self.assertIn("grow beyond all bounds here", mistake)

    def test_deep(self) -> None:
        """
        Nesting is bounded, aliases counted, and the bound itself is fine.
        """
        self.means("[" * MAX_DEPTH + "]" * MAX_DEPTH)
        (mistake,) = self.mistakes("[" * (MAX_DEPTH + 1))
        self.assertIn(f"f:1:{MAX_DEPTH + 1}: lists and mappings nest more than", mistake)
        self.assertEqual(len(self.mistakes("[" * 100000)), 1)
        steps = "".join(f"l{n}: &l{n} [*l{n - 1}]\n" for n in range(1, MAX_DEPTH + 2))
        (mistake,) = self.mistakes("l0: &l0 x\n" + steps)
        self.assertIn("grow beyond", mistake)

    def test_syntax(self) -> None:
        """
        What is not YAML at all is told with its place.
        """
        for text, place in (
            ("a: b: c", "f:1:5: "),
            ("a: [1\nb: 2", "f:2:2: "),
            ("a: 'x", "f:1:6: "),
            ("a: \x00", "f:1:4: "),
            ("b: 1\na: ü\x07", "f:2:5: "),
            ("a: @x", "f:1:4: "),
        ):
            (mistake,) = self.mistakes(text)
            self.assertTrue(mistake.startswith(place + "not valid YAML: "), mistake)
        self.assertIn("(a tab? indent with spaces)", self.mistakes("a:\n\tb: 1")[0])
        for text in ("a: *.b.example", "a: [*, c]", "*.b.example: 1", "a: &.b"):
            self.assertIn("(what begins with * or & stands in quotes)", self.mistakes(text)[0])
        self.assertNotIn("quotes", self.mistakes("a: *b")[0])

    def test_documents(self) -> None:
        """
        One document is read; a second one is told.
        """
        self.assertEqual(self.means("%YAML 1.2\n---\na: 1\n..."), {"a": 1})
        (mistake,) = self.mistakes("a: 1\n---\nb: 1")
        self.assertIn("f:2:1: a second document", mistake)

    def test_empty(self) -> None:
        """
        Nothing, and comments only, are no tree and no mistake.
        """
        for text in ("", " \n", "# only\n", "---\n...\n"):
            problems: list[Any] = []
            node = read(text, "f", problems)
            self.assertEqual((node and node.value, problems), (None, []))

    def test_hugeNumbers(self) -> None:
        """
        Numbers of thousands of digits are told rather than computed.
        """
        for number in ("9" * 5000, "0x" + "f" * 5000, "0o" + "7" * 5000):
            (mistake,) = self.mistakes(f"a: {number}")
            self.assertEqual(mistake, "f:1:4: the number that begins here has too many digits")

    @examples(200)
    @given(st.text(alphabet="ab:-[]{}&*!'\"|>#%@,? \n\t<~1.", max_size=60))
    def test_anything(self, text: str) -> None:
        """
        Any text is a tree, or nothing, or mistakes; never an exception.
        """
        for loader in LOADERS:
            problems: list[Any] = []
            node = read(text, "f", problems, loader)
            if node is None and text.strip() and not problems:
                self.assertIn(text.strip()[0], "#-.%")
            if node is not None:
                plain(node)
