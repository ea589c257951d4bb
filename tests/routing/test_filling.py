"""
Tests for L{smartproxy_tw.routing.filling}.
"""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.blanks import ERROR, parse
from smartproxy_tw.facts import Address, ConnectionFacts, RequestFacts
from smartproxy_tw.routing.filling import (
    Filling,
    Words,
    inField,
    inHTML,
    inJSON,
    inText,
    inURL,
    parametersOf,
    reason,
    safeFor,
)
from smartproxy_tw.routing.patterns import pathPattern

from ..examples import anyText, examples

FACTS = RequestFacts(
    ConnectionFacts(8443, Address("127.0.0.1", 5), isTLS=True),
    "GET",
    "shop.test",
    "/u/7/a/b",
    "x=1&y=2",
    "192.0.2.9",
    "the-number",
)


def words(facts: RequestFacts = FACTS, *fields: tuple[str, str], path: str | None = "/u/:id/*") -> Words:
    """
    For one request.
    """
    return Words(lambda: facts, lambda: fields, "shop", pathPattern(path))


class WordsTests(SynchronousTestCase):
    """
    What blanks stand for.
    """

    def filled(self, text: str, some: Words) -> str:
        """
        A text, filled in.
        """
        return Filling(parse(text, ERROR), inText).fill(some)

    def test_each(self) -> None:
        """
        Each one.
        """
        some = words(FACTS, ("x-a", "b"), ("x-a", "c"), ("host", "shop.test"))
        some.status = 503
        for text, wanted in (
            ("{client_ip}", "192.0.2.9"),
            ("{domain}", "shop.test"),
            ("{path}", "/u/7/a/b"),
            ("{query}", "x=1&y=2"),
            ("{uri}", "/u/7/a/b?x=1&y=2"),
            ("{port}", "8443"),
            ("{route}", "shop"),
            ("{request_id}", "the-number"),
            ("{method}", "GET"),
            ("{scheme}", "https"),
            ("{header:X-A}", "b, c"),
            ("{header:X-B}", ""),
            ("{param:id}", "7"),
            ("{param:*}", "a/b"),
            ("{param:other}", ""),
            ("{status} {reason}", "503 Service Unavailable"),
        ):
            self.assertEqual(self.filled(text, some), wanted, text)

    def test_others(self) -> None:
        """
        An address in brackets, no query, plain, and nobody behind the peer.
        """
        facts = RequestFacts(ConnectionFacts(80, Address("127.0.0.1", 5)), "GET", "::1", "/")
        self.assertEqual(
            self.filled("{scheme}://{domain}{uri} {client_ip}", words(facts)), "http://[::1]/ 127.0.0.1"
        )

    def test_once(self) -> None:
        """
        Facts and fields are read once, and only where they are asked for; what is filled in is not
        looked at again.
        """
        asked: list[str] = []

        def facts() -> RequestFacts:
            asked.append("facts")
            return FACTS

        def fields() -> list[tuple[str, str]]:
            asked.append("fields")
            return [("x-a", "{path}")]

        some = Words(facts, fields)
        self.assertEqual(self.filled("a", some), "a")
        self.assertEqual(asked, [])
        self.assertEqual(self.filled("{path}{path}", some), "/u/7/a/b/u/7/a/b")
        self.assertEqual(asked, ["facts"])
        self.assertEqual(self.filled("{header:x-a}{header:x-a}", some), "{path}{path}")
        self.assertEqual(asked, ["facts", "fields"])

    def test_parameters(self) -> None:
        """
        What the parameters of a path stand for, by every kind of path.
        """
        for pattern, path, found in (
            (None, "/a/b", {}),
            ("/*", "/a/b", {"*": "a/b"}),
            ("/a", "/a", {}),
            ("/a/*", "/a/b/c", {"*": "b/c"}),
            ("/a/*", "/a/", {"*": ""}),
            ("/u/:id", "/u/5", {"id": "5"}),
            ("/u/:id/*", "/u/5/x/y", {"id": "5", "*": "x/y"}),
            ("/u/:id/*", "/u/5/", {"id": "5", "*": ""}),
        ):
            self.assertEqual(parametersOf(pathPattern(pattern), path), found, (pattern, path))

    def test_reasons(self) -> None:
        """
        Statuses in words; none for one that has none.
        """
        self.assertEqual([reason(404), reason(413), reason(599)], ["Not Found", "Content Too Large", ""])


class _Marks(HTMLParser):
    """
    Writes down what is markup.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[Any] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """One."""
        self.tags.append((tag, [name for name, _ in attrs]))


class SafetyTests(SynchronousTestCase):
    """
    What a client sends cannot break out of where it is put.
    """

    def put(self, text: str, safe: Any, value: str) -> str:
        """
        A text with a header field of the client's.
        """
        return Filling(parse(text, isURL=safe is inURL), safe).fill(words(FACTS, ("x", value)))

    @examples(200)
    @given(anyText(40) | st.text(alphabet="\r\n\0\t <>\"'&{}:a\u2028\x85", max_size=20))
    def test_everywhere(self, value: str) -> None:
        """
        Header fields stay one line, URLs URLs, markup and JSON what they were.
        """
        field = self.put("a {header:x} b", inField, value)
        self.assertNotRegex(field, "[\\0-\\x08\\x0a-\\x1f\\x7f]")
        value = value.encode("utf-8", "replace").decode("utf-8")
        self.assertRegex(
            self.put("/a/{header:x}?b", inURL, value), r"\A/a/(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*\?b\Z"
        )
        marks = _Marks()
        marks.feed(self.put("<p title=\"{header:x}\">{header:x}</p><i a='{header:x}'>", inHTML, value))
        marks.close()
        self.assertEqual(marks.tags, [("p", ["title"]), ("i", ["a"])])
        text = self.put('{"a": "{header:x}"}', inJSON, value)
        self.assertEqual(json.loads(text), {"a": value})
        self.assertNotIn("<", text)
        self.assertNotRegex(self.put("{header:x}", inText, value), "[\\0-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]")

    @examples(100)
    @given(st.text(alphabet=[chr(c) for c in range(0x21, 0x7F) if chr(c) not in "#\\?"], max_size=12))
    def test_ofTheRequest(self, rest: str) -> None:
        """
        Parts of the request's own URL stay as they came.
        """
        facts = RequestFacts(ConnectionFacts(80, Address("::1", 5)), "GET", "a.test", "/" + rest, rest)
        filling = Filling(parse("{scheme}://{domain}:{port}{path}?{query}", isURL=True), inURL)
        self.assertEqual(filling.fill(words(facts)), f"http://a.test:80/{rest}?{rest}")

    def test_kinds(self) -> None:
        """
        What is safe depends on what a body is said to be; where that is not known it is markup.
        """
        for kind, safe in (
            ("text/html; charset=utf-8", inHTML),
            ("TEXT/PLAIN", inText),
            ("text/css", inText),
            ("application/json", inJSON),
            ("application/problem+json;v=1", inJSON),
            ("application/javascript", inJSON),
            ("text/xml", inHTML),
            ("image/svg+xml", inHTML),
            ("application/octet-stream", inHTML),
            ("", inHTML),
        ):
            self.assertIs(safeFor(kind), safe, kind)

    def test_fixed(self) -> None:
        """
        A text without blanks is made once for all.
        """
        self.assertEqual(Filling.of("a{{b", inText).fixed, "a{b")
        self.assertIs(Filling.of("a{path}", inText).fixed, None)
        self.assertRaises(ValueError, Filling.of, "{pth}", inText)
