"""
Tests for L{smartproxy_tw.config.names}.
"""

from __future__ import annotations

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import names

from ..examples import anyText, examples


class NameTests(SynchronousTestCase):
    """
    What is accepted, and its normal form.
    """

    def test_patterns(self) -> None:
        """
        Every kind of pattern, in its normal form.
        """
        for text, expected in (
            ("Shop.Example.", "shop.example"),
            ("*.Shop.example", "*.shop.example"),
            ("**.shop.example", "**.shop.example"),
            ("*", "*"),
            ("*.localhost", "*.localhost"),
            ("localhost", "localhost"),
            ("Bücher.example", "xn--bcher-kva.example"),
            ("*.BÜCHER.example", "*.xn--bcher-kva.example"),
            ("straße.example", "xn--strae-oqa.example"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("my_app.local", "my_app.local"),
            ("a--b.c", "a--b.c"),
            ("127.0.0.1", "127.0.0.1"),
            ("[2001:DB8::0:1]", "2001:db8::1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            (f"{'a' * 63}.b", f"{'a' * 63}.b"),
        ):
            self.assertEqual(names.pattern(text), expected)

    def test_notPatterns(self) -> None:
        """
        What is none is told why.
        """
        for text, why in (
            ("", "is empty"),
            (".", "is empty"),
            ("a..b", "nothing between two of its dots"),
            (".a", "nothing between two of its dots"),
            ("a b", "letters, digits and inner hyphens"),
            ("-a.b", "inner hyphens"),
            ("a-.b", "inner hyphens"),
            ("a.b\n", "letters, digits"),
            ("a" * 64 + ".b", "more than 63 characters"),
            (".".join(["abcdefg"] * 40), "longer than the 253 characters"),
            ("1.2.3", "cannot end in a number"),
            ("256.1.1.1", "cannot end in a number"),
            ("*a.b", "a * in the wrong place"),
            ("a.*.b", "a * in the wrong place"),
            ("*.*.b", "a * in the wrong place"),
            ("***.b", "a * in the wrong place"),
            ("*.1.2.3.4", "a * in the wrong place"),
            ("*.", "is empty"),
            ("https://a.b/", "leave out what stands around the name"),
            ("a.b/c", "leave out what stands around the name"),
            ("a.b:443", "ports are given by ports"),
            ("[::1]:443", "ports are given by ports"),
            ("::g", "is not an IP address"),
            ("ü..b", "is not a name that IDNA allows"),
            ("\u2665.b", "is not a name that IDNA allows"),
        ):
            error = self.assertRaises(ValueError, names.pattern, text)
            self.assertIn(why, str(error), text)

    def test_hosts(self) -> None:
        """
        A target's host is a name or an address, not a pattern.
        """
        self.assertEqual(names.host("My_App"), "my_app")
        self.assertEqual(names.host("[::1]"), "::1")
        self.assertEqual(names.host("fe80::1%eth0"), "fe80::1%eth0")
        for text, why in (
            ("*.a", "one host was expected"),
            ("http://a", "is not a host name: leave out what stands around the name (https://, a path)"),
            ("a/b", "is not a host name: leave out what stands around the name"),
            ("a:80", "is a host name with a port, which is said elsewhere"),
            ("1.2.3.4:80", "is an address with a port, which is said elsewhere"),
            ("[::1]:80", "is an address with a port, which is said elsewhere"),
            ("a b:80", "is not a host name: letters, digits"),
            ("::g", "is not an IP address"),
        ):
            self.assertIn(why, str(self.assertRaises(ValueError, names.host, text)), text)

    def test_isHost(self) -> None:
        """
        Only the normal form of one host is one.
        """
        for text in ("a.b", "localhost", "1.2.3.4"):
            self.assertTrue(names.isHost(text))
        for text in ("A.b", "*.a", "www.*.a", "", "www." + "a." * 125 + "b"):
            self.assertFalse(names.isHost(text))

    def test_addresses(self) -> None:
        """
        Addresses come in their shortest form.
        """
        self.assertEqual(names.address("0:0:0:0:0:0:0:1"), "::1")
        self.assertEqual(names.address("[::ffff:127.0.0.1]"), "127.0.0.1")
        for text in ("localhost", "1.2.3", "", "01.2.3.4", "1.2.3.4/8"):
            self.assertRaises(ValueError, names.address, text)

    def test_networks(self) -> None:
        """
        Addresses and networks of both families; IPv4-mapped ones are IPv4.
        """
        for text, expected in (
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::/0", "::/0"),
        ):
            self.assertEqual(names.network(text), ip_network(expected))

    def test_notNetworks(self) -> None:
        """
        Bits beyond the prefix are told with the network that was meant.
        """
        error = self.assertRaises(ValueError, names.network, "10.1.2.3/8")
        self.assertEqual(str(error), "has bits set beyond its prefix: write 10.0.0.0/8")
        for text in ("", "x", "10.0.0.0/33", "10.0.0/8", "a.example"):
            self.assertIn(
                "is not an IP address or a network", str(self.assertRaises(ValueError, names.network, text))
            )

    def test_certifiable(self) -> None:
        """
        Wildcards, addresses and underscores are beyond http-01 and tls-alpn-01.
        """
        for name in ("example.com", "demo.localhost", "localhost", "xn--bcher-kva.example"):
            self.assertIsNone(names.certifiable(name))
        for name in ("*.a.b", "**.a", "*", "1.2.3.4", "::1", "a_b.c"):
            self.assertIsNotNone(names.certifiable(name))

    @examples(150)
    @given(anyText(20) | st.text(alphabet="ab.*:-_[]1%/ü", max_size=20))
    def test_anything(self, text: str) -> None:
        """
        Any text has a normal form that is its own normal form, or is refused.
        """
        for reader in (names.pattern, names.host, names.address):
            try:
                found = reader(text)
            except ValueError as why:
                self.assertTrue(str(why))
            else:
                self.assertEqual(reader(found), found)
                self.assertTrue(found.isascii() and found == found.lower())
