"""
Tests for L{smartproxy_tw.config.texts}.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import texts
from smartproxy_tw.config.model import LETSENCRYPT, LETSENCRYPT_STAGING
from smartproxy_tw.routing.patterns import pathPattern

from ..examples import anyText, examples


class GrammarTests(SynchronousTestCase):
    """
    Each of the grammars.
    """

    def accepts(self, reader: Callable[[str], str], *accepted: str) -> None:
        """
        These are their own normal form.
        """
        for text in accepted:
            self.assertEqual(reader(text), text)

    def refuses(self, reader: Callable[[str], str], refused: dict[str, str]) -> None:
        """
        These are refused, each for its reason.
        """
        for text, why in refused.items():
            self.assertIn(why, str(self.assertRaises(ValueError, reader, text)), text)

    def test_names(self) -> None:
        """
        Names of routes are short, printable and not empty.
        """
        self.accepts(texts.name, "shop", "to https #2", "日本", "x" * 100)
        self.refuses(
            texts.name,
            {
                "": "is empty",
                "  ": "is empty",
                "a\nb": "printable",
                "x" * 101: "100",
                " a": "space at the ends",
            },
        )

    def test_macKeys(self) -> None:
        """
        Keys come in either alphabet, padded or not, and are never quoted.
        """
        for text in ("-_8", "+/8=", " -_8=\n"):
            self.assertEqual(texts.macKey(text), b"\xfb\xff")
        for text in ("", "geheim!", "geheim geheim", "abcde"):
            why = self.assertRaises(ValueError, texts.macKey, text)
            self.assertTrue(not text or text not in str(why))

    def test_paths(self) -> None:
        """
        Paths are exact, end in /* or have parameters.
        """
        self.accepts(
            texts.routePath,
            "/",
            "/*",
            "/a",
            "/a/",
            "/a//b",
            "/a/*",
            "/u/:id",
            "/u/:id/*",
            "/%2f",
            "/a:b",
            "/...",
            "/~x",
        )
        self.refuses(
            texts.routePath,
            {
                "": "begin with /",
                "a": "begin with /",
                "*": "begin with /",
                "/a b": "is not a path",
                "/a?b": "is not a path",
                "/a#b": "is not a path",
                "/ü": "is not a path",
                "/%2": "is not a path",
                "/a\n": "is not a path",
                "/a*": "a * in the wrong place",
                "/*/b": "a * in the wrong place",
                "/**": "a * in the wrong place",
                "/a/../b": "can never match",
                "/.": "can never match",
                "/%2E%2e/b": "can never match",
                "/:": "parameter without a proper name",
                "/:1": "parameter without a proper name",
                "/:a-b": "parameter without a proper name",
                "/:a/:a": "two parameters named :a",
            },
        )

    @examples(150)
    @given(st.text(alphabet="/a:*.%2e-_1", max_size=12).map(lambda text: "/" + text))
    def test_pathsCompile(self, text: str) -> None:
        """
        Whatever path is accepted here the route table can compile.
        """
        try:
            texts.routePath(text)
        except ValueError:
            return
        pathPattern(text)

    def test_plainPaths(self) -> None:
        """
        What needs no escape is itself, as it is in the paths that come.
        """
        self.assertEqual(texts.routePath("/%61/%7Eb/%2f/:id/*"), "/a/~b/%2f/:id/*")

    def test_locations(self) -> None:
        """
        Redirects go to a host that the operator named or the visitor asked for.
        """
        self.accepts(
            texts.location,
            "https://{domain}{path}",
            "https://{domain}:8443{path}",
            "http://www.{domain}{path}",
            "https://example.com",
            "https://example.com:{port}/x{path}?from={domain}#top",
            "https://[::1]:8443{path}",
            "https://[::1]",
            "HTTPS://example.com/%20",
            "/",
            "/login?next={path}",
            "/x{path}",
            "/x?{query}",
            "/{param:id}/x",
            "{scheme}://www.{domain}{uri}",
            "https://example.com/{param:*}?by={header:user-agent}",
        )
        self.refuses(
            texts.location,
            {
                "": "has to begin with",
                "{path}": "has to begin with",
                "example.com": "has to begin with",
                "ftp://example.com": "has to begin with",
                "javascript:alert(1)": "has to begin with",
                "//example.com": "any host",
                "/{path}": "any host",
                "/{path}/x": "any host",
                "https://": "no proper host",
                "https:///x": "no proper host",
                "https://{path}": "no proper host",
                "https://{port}": "no proper host",
                "https://user@example.com": "no proper host",
                "https://exa_mple..com": "has a host that is not a host name",
                "https://example.com:": "needs a port",
                "https://example.com:0": "needs a port",
                "https://example.com:65536": "needs a port",
                "https://example.com:{domain}": "needs a port",
                "https://{host}{path}": "uses {host}, which does not exist; did you mean {domain}?",
                "https://{domian}{path}": "uses {domian}, which does not exist; did you mean {domain}?",
                "https://{domain}/{zzzz}": "uses {zzzz}, which does not exist: {client_ip}, {domain}, {path}",
                "https://{domain}/{status}": "which there is only in error_pages",
                "https://{domain}/{header}": "has to say which one: {header:NAME}",
                "https://{domain}/{header:a b}": "uses {header:a b}, which does not exist",
                "https://{domain}/{param:1}": "is not the name of a parameter",
                "https://{domain}/{path:1}": "nothing can stand behind path",
                "https://{domain}{path}?{query}": "would have the query twice",
                "https://{header:host}/": "only {domain} can be one",
                "https://{domain}{query}": "only {domain} can be one",
                "/{uri}": "any host",
                "/{query}": "any host",
                "/{param:*}": "any host",
                "/{header:x}{path}": "any host",
                "/{client_ip}": "any host",
                "https://{domain}{}": "uses {}, which does not exist",
                "https://{{domain}}": "brace without its partner",
                "https://{domain": "brace without its partner",
                "https://a b": "is not a URL",
                "https://a\r\nX: y": "is not a URL",
                "https://ü.example": "is not a URL",
                "/\\evil.example": "is not a URL",
            },
        )

    def test_fieldNames(self) -> None:
        """
        Header names are tokens, and not those that the proxy sets.
        """
        self.accepts(texts.fieldName, "Content-Type", "x_y", "!#$%&'*+.^_`|~")
        self.refuses(
            texts.fieldName,
            {
                "": "is not the name",
                "a b": "is not the name",
                "a:": "is not the name",
                "ü": "is not the name",
                "a\n": "is not the name",
                "date": "is set by the proxy",
                "Content-LENGTH": "is set by the proxy",
                "Connection": "is set by the proxy",
                "transfer-encoding": "is set by the proxy",
            },
        )

    def test_matchedFields(self) -> None:
        """
        Fields that a route can ask for; not those that go no further.
        """
        for text, found in (
            ("X-Beta", "x-beta"),
            ("cookie", "cookie"),
            ("X-Forwarded-For", "x-forwarded-for"),
            ("a_b", "a_b"),
        ):
            self.assertEqual(texts.matchedField(text), found)
        self.refuses(
            texts.matchedField,
            {
                "": "is not the name of a header field",
                "a b": "is not the name of a header field",
                "Connection": "for one hop only",
                "TE": "for one hop only",
                "X-Request-ID": "never believed",
                "X_Forwarded-For": "never believed",
            },
        )

    def test_methods(self) -> None:
        """
        Methods that can come to a route.
        """
        self.accepts(texts.method, "GET", "PROPFIND", "M-SEARCH")
        self.refuses(
            texts.method,
            {
                "": "is not a method",
                "A B": "is not a method",
                "get": "write GET",
                "TRACE": "405",
                "CONNECT": "405",
            },
        )

    def test_fieldValues(self) -> None:
        """
        Header values are visible ASCII with inner spaces.
        """
        self.accepts(texts.fieldValue, "", "a b", "text/plain; charset=utf-8", "a\tb")
        self.assertEqual(texts.fieldValue("  a\t"), "a")
        for text in ("a\nb", "a\r", "\x00", "\x7f", "ü"):
            self.assertRaises(ValueError, texts.fieldValue, text)

    def test_emails(self) -> None:
        """
        One plain address.
        """
        self.accepts(texts.email, "ops@example.com", "a+b.c@x", "O'Neil@example.com")
        self.refuses(
            texts.email,
            {
                "": "is not an e-mail address",
                "ops": "is not an e-mail address",
                "@x": "is not an e-mail address",
                "a@": "is not an e-mail address",
                "mailto:a@b": "is not an e-mail address",
                "a b@c": "is not an e-mail address",
                "a@b\n": "is not an e-mail address",
                "ü@b": "is not an e-mail address",
                "a@b@c": "is not an e-mail address",
                "a@x,b@y": "is not an e-mail address",
                "a,b@y": "more than one",
                "a@b..c": "nothing between",
            },
        )

    def test_directories(self) -> None:
        """
        A directory is one of two names or a URL, without TLS only on this machine.
        """
        self.assertEqual(texts.directory("letsencrypt"), LETSENCRYPT)
        self.assertEqual(texts.directory("letsencrypt-staging"), LETSENCRYPT_STAGING)
        self.accepts(
            texts.directory,
            "https://ca.example/dir",
            "https://ca.example:14000/dir?x=y",
            "http://127.0.0.1:14000/dir",
            "http://127.9.9.9/",
            "http://[::1]/dir",
            "http://localhost:1/",
            "http://ca.localhost/",
        )
        self.refuses(
            texts.directory,
            {
                "": "is no directory",
                "letsencrypt-prod": "is no directory: letsencrypt, letsencrypt-staging or a URL",
                "ftp://ca.example/": "is no directory",
                "https://": "is not a URL that can be asked",
                "https://u:p@ca.example/": "is no directory",
                "https://ca.example/#x": "is no directory",
                "https://ca.example:0/": "is no directory",
                "https://ca.example:65536/": "is not a URL",
                "https://ca.example:x/": "is not a URL",
                "https://[::1/": "is not a URL",
                "https://ca example/": "is not a URL",
                "https://ca.example/\n": "is not a URL",
                "http://ca.example/dir": "has to be https",
                "http://127.0.0.1.example/": "has to be https",
                "http://10.0.0.1/": "has to be https",
            },
        )

    def test_loopback(self) -> None:
        """
        Directories on this machine are known as such.
        """
        self.assertTrue(texts.isOnLoopback("https://127.0.0.1:14000/dir"))
        self.assertTrue(texts.isOnLoopback("https://localhost/dir"))
        self.assertFalse(texts.isOnLoopback(LETSENCRYPT))

    @examples(150)
    @given(anyText(16) | st.text(alphabet="htps:/{}domain.pathort@[]1", max_size=30))
    def test_anything(self, text: str) -> None:
        """
        Any text is accepted or refused by every grammar, never anything else.
        """
        for reader in (
            texts.name,
            texts.routePath,
            texts.location,
            texts.fieldName,
            texts.fieldValue,
            texts.email,
            texts.directory,
        ):
            try:
                reader(text)
            except ValueError as why:
                self.assertTrue(str(why))
