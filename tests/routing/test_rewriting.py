"""
Tests for L{smartproxy_tw.routing.rewriting}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.revision import Replacement, Rewrite
from smartproxy_tw.facts import Address, ConnectionFacts, RequestFacts
from smartproxy_tw.routing.filling import Words
from smartproxy_tw.routing.patterns import pathPattern
from smartproxy_tw.routing.rewriting import MOST, Rewriting, Unfit, mapBack
from smartproxy_tw.wire.http1 import parseRequest

from ..examples import anyText, examples

CONNECTION = ConnectionFacts(80, Address("127.0.0.1", 5))


def words(path: str, query: str = "", *fields: tuple[str, str], pattern: str | None = None) -> Words:
    """
    For one request.
    """
    facts = RequestFacts(CONNECTION, "GET", "a.test", path, query)
    return Words(lambda: facts, lambda: fields, "r", pathPattern(pattern))


class TargetTests(SynchronousTestCase):
    """
    What is asked for.
    """

    def asks(
        self,
        settings: Rewrite,
        cases: dict[str, bytes | None],
        *fields: tuple[str, str],
        pattern: str | None = None,
    ) -> None:
        """
        Each target becomes another one, or stays as it is.
        """
        rewriting = Rewriting(settings)
        for target, wanted in cases.items():
            path, _, query = target.partition("?")
            found = rewriting.target(words(path, query, *fields, pattern=pattern))
            self.assertEqual(found, wanted, target)

    def test_strip(self) -> None:
        """
        A prefix of whole segments is taken off.
        """
        self.asks(
            Rewrite("/api"),
            {
                "/api/x?y=1": b"/x?y=1",
                "/api": b"/",
                "/api/": b"/",
                "/api?x": b"/?x",
                "/apis/x": None,
                "/x/api": None,
                "/api//x": b"//x",
                "/api/api/x": b"/api/x",
                "/API/x": None,
                "*": None,
            },
        )

    def test_add(self) -> None:
        """
        A prefix is put in front; with one that is stripped it takes its place.
        """
        self.asks(Rewrite(addPrefix="/v2"), {"/x": b"/v2/x", "/": b"/v2/", "/x?y": b"/v2/x?y"})
        self.asks(Rewrite("/a", addPrefix="/b"), {"/a/x": b"/b/x", "/a": b"/b/", "/c": b"/b/c"})

    def test_replace(self) -> None:
        """
        The path is another one, made of parts of the old one, and the query stays.
        """
        self.asks(
            Rewrite(replacePath="/f/{param:id}/{param:*}"),
            {"/u/7/a/b?c": b"/f/7/a/b?c", "/u/a%2fb/": b"/f/a%2fb/"},
            pattern="/u/:id/*",
        )
        self.asks(Rewrite(replacePath="{path}/x"), {"/a": b"/a/x"})
        self.asks(
            Rewrite(replacePath="/h/{header:x-a}/y"),
            {"/": b"/h/%2Fa%20b%3F%23%0D%0A/y"},
            ("x-a", "/a b?#\r\n"),
        )

    def test_regex(self) -> None:
        """
        The first pattern that is found is used, at every place that it is found at.
        """
        rules = (
            Replacement("^/old/(.*)$", "/new/{1}"),
            Replacement("/(?P<name>[0-9]+)", "/n{0}-{1}{port}"),
            Replacement("x(y)?", "z{1}"),
            Replacement("^/gone", ""),
        )
        self.asks(
            Rewrite(regex=rules),
            {
                "/old/1": b"/new/1",
                "/1/2": b"/n/1-180/n/2-280",
                "/axbxy": b"/azbzy",
                "/a": None,
                "/gone": b"/",
                "/gonef": b"/f",
            },
        )
        self.asks(Rewrite("/a", regex=(Replacement("^/b", "/c"),), addPrefix="/d"), {"/a/b/e": b"/d/c/e"})

    def test_query(self) -> None:
        """
        Parameters go, and others come; those that stay are as they came, in their order.
        """
        self.asks(
            Rewrite(querySet=(("who", "{header:x-a}"), ("b c", "1")), queryRemove=("utm_*", "x y")),
            {
                "/": b"/?who=%C3%BC%26%3D%20%0A&b%20c=1",
                "/?a=1&utm_source=b&who=me&A=%2f&x+y=1&x%20y": b"/?a=1&A=%2f&who=%C3%BC%26%3D%20%0A&b%20c=1",
                "/?b+c=2&b%20c=3&b=4": b"/?b=4&who=%C3%BC%26%3D%20%0A&b%20c=1",
            },
            ("x-a", "ü&= \n"),
        )
        self.asks(
            Rewrite(queryRemove=("a",)),
            {"/?a": b"/", "/?a=1&b": b"/?b", "/?b&&c": b"/?b&c", "/?b": None, "/": None, "/?%61=1": b"/"},
        )

    def test_unfit(self) -> None:
        """
        What would lead elsewhere by dot segments, or be too long, is not asked for.
        """
        up = Rewriting(Rewrite(replacePath="/files/{header:x}/private"))
        for value in ("..", "."):
            error = self.assertRaises(Unfit, up.target, words("/", "", ("x", value)))
            self.assertEqual(error.status, 400)
        self.assertEqual(up.target(words("/", "", ("x", "%2e%2e"))), b"/files/%252e%252e/private")
        middle = Rewriting(Rewrite(regex=(Replacement("x", ""),)))
        for path in ("/a/.x./b", "/%2x%2e/b", "/ax/.x.", "/x../"):
            self.assertRaises(Unfit, middle.target, words(path.replace("%2x%2e", ".x%2e")))
        grows = Rewriting(Rewrite(regex=(Replacement("a", "{path}{path}"),)))
        error = self.assertRaises(Unfit, grows.target, words("/" + "a" * 8000))
        self.assertEqual(error.status, 414)
        long = Rewriting(Rewrite(replacePath="/{header:x}"))
        self.assertEqual(self.assertRaises(Unfit, long.target, words("/", "", ("x", "%" * MOST))).status, 414)

    PIECES = st.lists(
        st.sampled_from(
            [
                "/",
                "a",
                "..",
                ".",
                "%2e",
                "%2F",
                "%",
                "x",
                "//",
                "api",
                "?",
                "&",
                "=",
                "\u00fc",
                " ",
                "\r\n",
                "#",
                "\\",
                '"',
            ]
        ),
        max_size=8,
    ).map("".join)

    @examples(300)
    @given(PIECES, PIECES, PIECES, st.integers(0, 5))
    def test_valid(self, path: str, query: str, value: str, which: int) -> None:
        """
        Whatever is sent, what goes upstream is a target that the proxy would take itself and forward
        as it is, below the prefix that was added.
        """
        settings = (
            Rewrite("/api", addPrefix="/v2"),
            Rewrite(replacePath="/v2/{header:x}/{param:*}"),
            Rewrite(replacePath="/v2{path}", querySet=(("q", "{header:x}{query}"),)),
            Rewrite(regex=(Replacement("(a+|/)", "{1}{header:x}"),), addPrefix="/v2"),
            Rewrite(regex=(Replacement("[/.]", ""),), addPrefix="/v2", queryRemove=("a*",)),
            Rewrite("/api/x", addPrefix="/v2", querySet=(("a b", "{uri}"),)),
        )[which]
        # What came is what the parser of heads takes: it has refused and resolved the rest.
        head = f"GET /api/{path}?{query} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        try:
            request = parseRequest(head)
        except Exception:
            return
        if request is None or request.raw != head:
            return
        came = request.target
        made = words(came.path.decode(), (came.query or b"").decode(), ("x", value), pattern="/api/*")
        try:
            target = Rewriting(settings).target(made)
        except Unfit:
            return
        assert target is not None
        self.assertTrue(target.startswith(b"/v2"), target)
        again = parseRequest(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert again is not None
        self.assertEqual(again.target.origin, target)


class MapBackTests(SynchronousTestCase):
    """
    L{mapBack}.
    """

    def test_mapped(self) -> None:
        """
        Places of the target's own are below the prefix again; others, and those that are there
        already, stay.
        """
        strip, both = Rewrite("/api"), Rewrite("/api", addPrefix="/v2")
        for settings, location, wanted in (
            (strip, "/login?x=/y#z", "/api/login?x=/y#z"),
            (strip, "/", "/api/"),
            (strip, "/api", "/api"),
            (strip, "/api/x", "/api/x"),
            (strip, "/apis", "/api/apis"),
            (strip, "http://a.test/x", "http://a.test/api/x"),
            (strip, "HTTPS://A.test:8443/x", "HTTPS://A.test:8443/api/x"),
            (strip, "http://b.test/x", "http://b.test/x"),
            (strip, "http://a.test", "http://a.test/api/"),
            (strip, "http://a.test?x#y", "http://a.test/api/?x#y"),
            (strip, "http://b.test", "http://b.test"),
            (strip, "//b.test/x", "//b.test/x"),
            (strip, "x/y", "x/y"),
            (strip, "?x", "?x"),
            (strip, "", ""),
            (strip, "mailto:x@a.test", "mailto:x@a.test"),
            (both, "/v2/x", "/api/x"),
            (both, "/v2", "/api/"),
            (both, "http://a.test", "http://a.test/api/"),
            (both, "/x", "/api/x"),
            (Rewrite(addPrefix="/v2"), "/v2/x", "/x"),
            (Rewrite(addPrefix="/v2"), "/x", "/x"),
            (Rewrite(addPrefix="/v2"), "/v2//b.test/x", "/v2//b.test/x"),
        ):
            self.assertEqual(mapBack(location, settings, "a.test"), wanted, location)

    @examples(200)
    @given(
        anyText(20) | st.text(alphabet="/htp:a.s?#[]@\r\n ", max_size=30),
        st.sampled_from([Rewrite("/api", addPrefix="/a"), Rewrite("/api"), Rewrite(addPrefix="/a")]),
    )
    def test_anything(self, location: str, settings: Rewrite) -> None:
        """
        Nothing escapes, and what is made of a place is never another host's.
        """
        found = mapBack(location, settings, "a.test")
        if found != location:
            self.assertFalse(found.startswith("//"))
            self.assertIn("/", found)
