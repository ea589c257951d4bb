"""
Tests for L{smartproxy_tw.config.targets}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Target
from smartproxy_tw.config.targets import Place, parse

from ..examples import anyText, examples


class ParseTests(SynchronousTestCase):
    """
    Targets as one text.
    """

    def test_forms(self) -> None:
        """
        Every form that there is.
        """
        for text, host, port, scheme in (
            ("127.0.0.1:3000", "127.0.0.1", 3000, None),
            ("App:80", "app", 80, None),
            ("my_app:80", "my_app", 80, None),
            ("bücher.example:80", "xn--bcher-kva.example", 80, None),
            ("[::1]:3000", "::1", 3000, None),
            ("[fe80::1%eth0]:3000", "fe80::1%eth0", 3000, None),
            ("10.0.0.7:preserve", "10.0.0.7", None, None),
            ("3000", "127.0.0.1", 3000, None),
            ("unix:/run/a b.sock", "/run/a b.sock", 0, None),
            ("unix:///run/a.sock", "/run/a.sock", 0, None),
            ("http://app:3000", "app", 3000, "http"),
            ("http://app", "app", 80, "http"),
            ("HTTPS://app/", "app", 443, "https"),
            ("https://[::1]:8443", "::1", 8443, "https"),
            ("https://[::1]", "::1", 443, "https"),
        ):
            self.assertEqual(parse(text), Place(Target(host, port), scheme), text)

    def test_refused(self) -> None:
        """
        What is none is told why.
        """
        for text, why in (
            ("", "is empty"),
            ("app", "has no port: app:3000"),
            ("app:", "needs a port"),
            ("app:0", "needs a port"),
            ("app:65536", "needs a port"),
            ("app:99999999999999999999", "needs a port"),
            ("app:\u0663", "needs a port"),
            ("app:-1", "needs a port"),
            ("0", "needs a port"),
            ("65536", "needs a port"),
            (":80", "has no host"),
            ("::1:80", "in brackets"),
            ("[::1", "cannot be a target"),
            ("[::1]80", "cannot be a target"),
            ("[::g]:80", "is not an IP address"),
            ("unix:run.sock", "absolute path"),
            ("unix:", "absolute path"),
            ("unix:/" + "x" * 107, "at most 107 bytes"),
            ("ftp://app:21", "cannot be a target"),
            ("http://app/x", "has a path, but a target is only a host and a port: rewrite.add_prefix"),
            ("app:80/x", "has a path, but a target is only a host and a port: rewrite.add_prefix"),
            ("app/x", "has a path, but a target is only a host and a port: rewrite.add_prefix"),
            ("[::1]:80/x", "has a path"),
            (":3000", "has no host: 127.0.0.1:3000"),
            ("http://u@app", "has a user name"),
            ("http://app?x", "has a query"),
            ("http://app#x", "has a fragment"),
            ("http://app:preserve", "needs a port"),
            ("http://", "is empty"),
            ("*.app:80", "one host was expected"),
            ("a b:80", "is not a host name"),
        ):
            error = self.assertRaises(ValueError, parse, text)
            self.assertIn(why, str(error), text)

    @examples(150)
    @given(anyText(20) | st.text(alphabet="ab.:/[]1unixhtps@?#", max_size=24))
    def test_anything(self, text: str) -> None:
        """
        Any text is a target whose own text is the same target, or is refused.
        """
        try:
            place = parse(text)
        except ValueError as why:
            self.assertTrue(str(why))
        else:
            self.assertEqual(parse(str(place.target)).target, place.target)
