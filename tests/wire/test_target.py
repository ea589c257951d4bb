"""
Tests for L{smartproxy_tw.wire.target}.
"""

from __future__ import annotations

from urllib.parse import urljoin

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.target import BadTarget, Resolved, hostOf, plainPath, resolve

from ..examples import examples

steady = examples(200)


class ResolveTests(SynchronousTestCase):
    """
    The path that is matched is the path that is forwarded.
    """

    def test_paths(self) -> None:
        """
        Dot segments are resolved however they are written, and nothing else is
        touched but what is encoded for no reason.
        """
        for target, path in [
            (b"/", b"/"),
            (b"/a/b", b"/a/b"),
            (b"/a/./b", b"/a/b"),
            (b"/a/../b", b"/b"),
            (b"/a/..", b"/"),
            (b"/a/b/..", b"/a/"),
            (b"/a/.", b"/a/"),
            (b"/..", b"/"),
            (b"/../../etc/passwd", b"/etc/passwd"),
            (b"/a/%2e%2e/admin", b"/admin"),
            (b"/a/.%2E/admin", b"/admin"),
            (b"/a/%2e/b", b"/a/b"),
            (b"//admin", b"//admin"),
            (b"//a/..//b", b"///b"),
            (b"/a//../b", b"/a/b"),
            (b"/a%2f..%2fadmin", b"/a%2f..%2fadmin"),
            (b"/.../.a/a./..b", b"/.../.a/a./..b"),
            (b"/%252e%252e/", b"/%252e%252e/"),
            (b"/%61dmi%6E/%41%5A%7a%5f%7E%2D%39", b"/admin/AZz_~-9"),
            (b"/%2561dmin/%2F%3a%40%5B%60%7B%7f%C3", b"/%2561dmin/%2F%3a%40%5B%60%7B%7f%C3"),
            (b"/100%/%zz/%6", b"/100%/%zz/%6"),
            (b"/%%361dmin", b"/admin"),
            (b"/a/%%32e/b", b"/a/b"),
        ]:
            self.assertEqual(resolve(target), Resolved(path), target)

    def test_queries(self) -> None:
        """
        A query is kept as it is, dots and all, and so is an empty one.
        """
        for target, path, query in [
            (b"/a?b=/../c", b"/a", b"b=/../c"),
            (b"/a?", b"/a", b""),
            (b"/a/../b??", b"/b", b"?"),
        ]:
            resolved = resolve(target)
            self.assertEqual(resolved, Resolved(path, query))
            assert isinstance(resolved, Resolved)
            self.assertEqual(resolved.origin, path + b"?" + query)

    def test_absolute(self) -> None:
        """
        An absolute target is split into its scheme, its authority and its path.
        """
        for target, expected in [
            (b"http://Shop.Example:8080/a/../b?c", Resolved(b"/b", b"c", b"Shop.Example:8080", b"http")),
            (b"HTTPS://shop.example", Resolved(b"/", None, b"shop.example", b"https")),
            (b"http://shop.example?a", Resolved(b"/", b"a", b"shop.example", b"http")),
        ]:
            self.assertEqual(resolve(target), expected)

    def test_asterisk(self) -> None:
        """
        The whole server can be asked for its options, and for nothing else.
        """
        self.assertEqual(resolve(b"*", b"OPTIONS"), Resolved(b"*"))
        self.assertIsInstance(resolve(b"*"), BadTarget)

    def test_refused(self) -> None:
        """
        Other forms of targets are for other kinds of proxies.
        """
        for target in [
            b"",
            b"shop.example:443",
            b"a/b",
            b"?a",
            b"ftp://shop.example/",
            b"http:/a",
            b"http:///a",
            b"http://user@shop.example/",
            b"http://a..b/",
            b"file:///etc/passwd",
            b"**",
        ]:
            self.assertIsInstance(resolve(target), BadTarget, target)

    @steady
    @given(
        st.lists(
            st.sampled_from(["a", "b", ".", "..", "%2e", "%2E.", "%2e%2e", "c.", "", "%61", "%%36"]),
            max_size=8,
        )
    )
    def test_reference(self, segments: list[str]) -> None:
        """
        It resolves as a browser does, it resolves once and for all, and what
        is left has no dot segment in any spelling.
        """
        target = "/" + "/".join(segments)
        resolved = resolve(target.encode())
        assert isinstance(resolved, Resolved)
        self.assertEqual(resolve(resolved.path), resolved)
        plain = resolved.path.lower().replace(b"%2e", b".").split(b"/")
        self.assertNotIn(b".", plain)
        self.assertNotIn(b"..", plain)
        if "" not in segments[:-1]:
            dotted = str(plainPath(target.lower().encode()), "ascii")
            self.assertEqual(resolved.path.lower().decode(), urljoin("http://h/", dotted)[8:])


class PlainTests(SynchronousTestCase):
    """
    L{plainPath}.
    """

    def test_all(self) -> None:
        """
        Of all escapes just those of unreserved characters are undone.
        """
        unreserved = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        for number in range(256):
            for text in (b"%%%02x" % number, b"%%%02X" % number):
                self.assertEqual(plainPath(text), bytes([number]) if number in unreserved else text)

    def test_endless(self) -> None:
        """
        What is made of itself over and over is refused, and soon.
        """
        path = b"/%61"
        for _ in range(3):
            path = path.replace(b"6", b"%36")
        self.assertIsNone(plainPath(path))
        self.assertIsInstance(resolve(path), BadTarget)

    @steady
    @given(st.text(alphabet="%0123456789abcdefABCDEF/.", max_size=24))
    def test_once(self, text: str) -> None:
        """
        What was made plain is plain.
        """
        found = plainPath(text.encode())
        if found is not None:
            self.assertEqual(plainPath(found), found)


class HostTests(SynchronousTestCase):
    """
    Which Host fields are taken, and how.
    """

    def test_hosts(self) -> None:
        """
        Names in lower case, addresses in their shortest form, no port.
        """
        for value, host in [
            (b"shop.example", "shop.example"),
            (b"Shop.Example:8080", "shop.example"),
            (b"shop.example.", "shop.example"),
            (b"shop.example.:", "shop.example"),
            (b"my_host.example", "my_host.example"),
            (b"localhost", "localhost"),
            (b"127.0.0.1:80", "127.0.0.1"),
            (b"[::1]", "::1"),
            (b"[2001:DB8:0:0::1]:443", "2001:db8::1"),
            (b"[::ffff:192.0.2.1]", "192.0.2.1"),
            (b"a" * 63 + b".example:65535", "a" * 63 + ".example"),
        ]:
            self.assertEqual(hostOf(value), host, value)

    def test_refused(self) -> None:
        """
        What is no host is none, and nothing of it is repaired.
        """
        for value in [
            b"",
            b".",
            b":80",
            b"a..b",
            b".a",
            b"a..",
            b"a b",
            b"a,b",
            b"a/b",
            b"user@a",
            b"a:80:80",
            b"a:65536",
            b"a:-1",
            b"a:x",
            b"::1",
            b"[::1",
            b"[]",
            b"[..]",
            b"[:::1]",
            b"[::1%eth0]",
            b"[127.0.0.1]",
            b"a%2eb",
            b"b\xc3\xbccher.example",
            b"a\n",
            b"a" * 254,
            b"a." * 200 + b"a",
        ]:
            self.assertIsNone(hostOf(value), value)

    @steady
    @given(st.binary(max_size=12))
    def test_anything(self, value: bytes) -> None:
        """
        Whatever it is, the answer is a host in its normal form or none.
        """
        host = hostOf(value)
        if host is not None:
            again = hostOf(b"[%b]" % host.encode() if ":" in host else host.encode())
            self.assertEqual(again, host)
