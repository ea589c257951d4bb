"""
Tests for L{smartproxy_tw.routing.patterns}.
"""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import names, texts
from smartproxy_tw.routing.patterns import NO_DOMAIN, AnyPath, candidates, domainPattern, pathPattern

from ..examples import examples

steady = examples(150)


def _names(most: int) -> st.SearchStrategy[str]:
    """
    Names with no more labels than that.
    """
    return st.lists(st.sampled_from("ab"), min_size=1, max_size=most).map(".".join)


class DomainTests(SynchronousTestCase):
    """
    What the patterns of domains take.
    """

    def test_matches(self) -> None:
        """
        Each kind of pattern takes what it says, and nothing else.
        """
        for pattern, taken, refused in [
            (
                "shop.example",
                ["shop.example"],
                ["", "a.shop.example", "xshop.example", "shop.examples", "example"],
            ),
            (
                "*.shop.example",
                ["a.shop.example", "xn--bcher-kva.shop.example"],
                ["", "shop.example", "a.b.shop.example", "ashop.example", "a.shop.example.x"],
            ),
            (
                "**.shop.example",
                ["a.shop.example", "a.b.shop.example", "a.b.c.d.shop.example"],
                ["", "shop.example", "ashop.example", "a.shop.example.x"],
            ),
            ("*.example", ["shop.example"], ["example", "a.shop.example"]),
            ("**.localhost", ["a.localhost", "b.a.localhost"], ["localhost"]),
            ("*", ["shop.example", "localhost", "127.0.0.1", "::1"], [""]),
            (NO_DOMAIN, ["shop.example", "localhost", ""], []),
            ("127.0.0.1", ["127.0.0.1"], ["0.0.1"]),
            ("::1", ["::1"], ["::2"]),
        ]:  # fmt: skip
            for name in taken:
                self.assertTrue(domainPattern(pattern).matches(name), (pattern, name))
            for name in refused:
                self.assertFalse(domainPattern(pattern).matches(name), (pattern, name))

    def test_ranks(self) -> None:
        """
        The order of precedence among the patterns that take one name.
        """
        texts = ["c.b.shop.example", "*.b.shop.example", "**.b.shop.example", "**.shop.example",
                 "**.example", "*", NO_DOMAIN]  # fmt: skip
        for text in texts:
            self.assertTrue(domainPattern(text).matches("c.b.shop.example"), text)
        ranks = [domainPattern(text).rank for text in texts]
        self.assertEqual(ranks, sorted(set(ranks)))
        self.assertEqual(domainPattern("*.a.example").rank, domainPattern("*.b.example").rank)

    def test_refused(self) -> None:
        """
        What is no pattern is refused with a reason.
        """
        for text in ["a*.example", "*a.example", "a.*.example", "***.example", "*.", "**", "*.*.example"]:
            self.assertRaises(ValueError, domainPattern, text)
            if text != "*.":
                self.assertIn("wildcard", str(self.assertRaises(ValueError, domainPattern, text)))
        for text in ["Shop.example", "shop.example.", ".example", "a..b", "a b", "bücher.example", "a/b"]:
            self.assertIn(repr(text), str(self.assertRaises(ValueError, domainPattern, text)))

    @steady
    @given(_names(5), st.builds(str.__add__, st.sampled_from(["", "*.", "**."]), _names(4)))
    def test_reference(self, name: str, pattern: str) -> None:
        """
        It agrees with the same thing said as a regular expression.
        """
        if pattern.startswith("**."):
            expression = r"([^.]+\.)+" + re.escape(pattern[3:])
        elif pattern.startswith("*."):
            expression = r"[^.]+\." + re.escape(pattern[2:])
        else:
            expression = re.escape(pattern)
        expected = re.fullmatch(expression, name) is not None
        self.assertEqual(domainPattern(pattern).matches(name), expected)

    def test_manyLabels(self) -> None:
        """
        A name of the longest kind has no more candidates than labels.
        """
        self.assertEqual(len(candidates(".".join("a" * 127))), 1 + 1 + 126 + 2)


class LoaderTests(SynchronousTestCase):
    """
    What the loader of configurations lets through is a pattern here.
    """

    @steady
    @given(st.text("ab.*-_:1ü[]/", max_size=10))
    def test_domains(self, text: str) -> None:
        """
        So compiling a table does not fail for a domain.
        """
        try:
            normal = names.pattern(text)
        except ValueError:
            return
        domainPattern(normal)

    @steady
    @given(st.text("a/:*.%2eE_1?#", max_size=10).map("/{}".format))
    def test_paths(self, text: str) -> None:
        """
        Nor for a path.
        """
        try:
            normal = texts.routePath(text)
        except ValueError:
            return
        pathPattern(normal)


class PathTests(SynchronousTestCase):
    """
    What the patterns of paths take.
    """

    def test_matches(self) -> None:
        """
        Each kind of pattern takes what it says, and nothing else.
        """
        for pattern, taken, refused in [
            (None, ["/", "/a", "*"], []),
            ("/*", ["/", "/a", "/a/b", "//", "*"], []),
            ("/", ["/"], ["/a", "//", "*"]),
            ("/a", ["/a"], ["/a/", "/A", "/ab", "/", "/a/b", "//a"]),
            ("/a/", ["/a/"], ["/a", "/a/b"]),
            ("/a/*", ["/a/", "/a/b", "/a/b/c", "/a//"], ["/a", "/ab", "/A/b", "/", "//a/b", "*"]),
            ("/a:b", ["/a:b"], ["/ab", "/ax"]),
            ("/%2f/*", ["/%2f/a"], ["///a", "/%2F/a"]),
        ]:
            for path in taken:
                self.assertEqual(pathPattern(pattern).match(path), (), (pattern, path))
            for path in refused:
                self.assertIsNone(pathPattern(pattern).match(path), (pattern, path))

    def test_parameters(self) -> None:
        """
        A parameter is one segment that is not empty; the pattern is anchored.
        """
        for pattern, path, expected in [
            ("/u/:id", "/u/5", (("id", "5"),)),
            ("/u/:id", "/u/a%2fb", (("id", "a%2fb"),)),
            ("/u/:id", "/u/", None),
            ("/u/:id", "/u", None),
            ("/u/:id", "/u/5/", None),
            ("/u/:id", "/u/5/more", None),
            ("/u/:id", "//u/5", None),
            ("/:a/x/:b", "/1/x/2", (("a", "1"), ("b", "2"))),
            ("/:a/x/:b", "/1/y/2", None),
            ("/:a", "/1", (("a", "1"),)),
            ("/:a", "/", None),
            ("/:a", "*", None),
            ("/:a/", "/1/", (("a", "1"),)),
            ("/:a/", "/1", None),
            ("/u/:id/*", "/u/5/", (("id", "5"),)),
            ("/u/:id/*", "/u/5/x/y", (("id", "5"),)),
            ("/u/:id/*", "/u/5", None),
            ("/u/:id/*", "/u//x", None),
        ]:  # fmt: skip
            self.assertEqual(pathPattern(pattern).match(path), expected, (pattern, path))

    def test_ranks(self) -> None:
        """
        The order of precedence: exact, the longest prefix, parameters, any.
        """
        texts = ["/u/5", "/u/x/*", "/u/*", "/u/:id/posts", "/u/:id/:what", "/u/:id", "/:a/:b", "/u/:id/*",
                 "/:a/:b/*", "/*"]  # fmt: skip
        ranks = [pathPattern(text).rank for text in texts]
        self.assertEqual(ranks, sorted(set(ranks)))
        self.assertEqual(pathPattern("/*").rank, pathPattern(None).rank)
        self.assertIsInstance(pathPattern("/*"), AnyPath)

    def test_refused(self) -> None:
        """
        What is no pattern, or can never match, is refused with a reason.
        """
        for text, part in [
            ("", "slash"),
            ("a", "slash"),
            ("*", "slash"),
            ("/a*", "last segment"),
            ("/*/a", "last segment"),
            ("/a/**", "last segment"),
            ("/a?b", "path only"),
            ("/a#b", "path only"),
            ("/a/../b", "matches nothing"),
            ("/a/%2E%2e", "matches nothing"),
            ("/./*", "matches nothing"),
            ("/u/:", "proper name"),
            ("/u/:1a", "proper name"),
            ("/:id/:id", "two parameters"),
        ]:
            self.assertIn(part, str(self.assertRaises(ValueError, pathPattern, text)), text)

    @steady
    @given(
        st.lists(st.sampled_from(["a", "b", "", ":x", ":y"]), min_size=1, max_size=4, unique=True),
        st.booleans(),
        st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=5),
    )
    def test_reference(self, segments: list[str], isOpen: bool, asked: list[str]) -> None:
        """
        It agrees with the same thing said as a regular expression.
        """
        text, path = "/" + "/".join(segments), "/" + "/".join(asked)
        expression = re.sub(r":(\w)", r"(?P<\1>[^/]+)", text) + ("/.*" if isOpen else "")
        found = re.fullmatch(expression, path)
        expected = None if found is None else tuple(found.groupdict().items())
        self.assertEqual(pathPattern(text + "/*" * isOpen).match(path), expected)
