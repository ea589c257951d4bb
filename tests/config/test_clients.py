"""
Tests for L{smartproxy_tw.config.clients}.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.clients import Clients, client, numberOf

from ..examples import examples

# Near to one another and to where signs and bytes turn over.
_fours = st.one_of(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 0x0A000000, 0x0A0000FF, 0x0A000100]),
).map(IPv4Address)
_sixes = st.one_of(
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**32 - 1).map(lambda low: 0xFFFF << 32 | low),
    st.sampled_from([0, 1, 2**127 - 1, 2**127, 2**128 - 1, 0x20010DB8 << 96]),
).map(IPv6Address)
_addresses = st.one_of(_fours, _sixes)
_octets = st.lists(st.sampled_from(["*", "0", "10", "127", "128", "255"]), min_size=4, max_size=4)


def has(text: str, address: str) -> bool:
    """
    Whether a client is meant by one text.
    """
    return Clients([text]).has(numberOf(address))


class ClientsTests(SynchronousTestCase):
    """
    Who is meant.
    """

    def test_kinds(self) -> None:
        """
        Addresses, networks, ranges and globs, of either version.
        """
        for text, inside, outside in [
            ("10.0.0.7", ["10.0.0.7"], ["10.0.0.8", "::a00:7", "2001:db8::1"]),
            ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0", "::10"]),
            ("2001:db8::/32", ["2001:db8::", "2001:db8:ffff::1"], ["2001:db9::", "32.1.13.184"]),
            ("::1", ["::1"], ["0.0.0.1", "::2"]),
            ("10.0.0.5-10.0.1.3", ["10.0.0.5", "10.0.0.255", "10.0.1.3"], ["10.0.0.4", "10.0.1.4"]),
            ("127.255.255.250-128.0.0.5", ["127.255.255.255", "128.0.0.0"], ["127.0.0.1", "128.0.0.6"]),
            ("2001:db8::5 - 2001:db8::1:0", ["2001:db8::5", "2001:db8::ffff"], ["2001:db8::4"]),
            ("10.0.*.*", ["10.0.0.0", "10.0.255.1"], ["10.1.0.0", "::ffff"]),
            ("10.*.0.1", ["10.7.0.1"], ["10.7.0.2", "11.7.0.1"]),
            ("*.*.*.*", ["0.0.0.0", "255.255.255.255"], ["::1"]),
            ("0.0.0.0/0", ["1.2.3.4"], ["::1"]),
            ("::/0", ["::1", "2001:db8::1"], ["1.2.3.4"]),
        ]:
            for address in inside:
                self.assertTrue(has(text, address), (text, address))
            for address in outside:
                self.assertFalse(has(text, address), (text, address))

    def test_mapped(self) -> None:
        """
        An IPv4 address that is mapped into IPv6 is the IPv4 address, on either
        side.
        """
        for text in ("10.0.0.0/8", "::ffff:10.0.0.0/104", "10.0.0.1-10.0.0.9", "10.*.*.*"):
            self.assertTrue(has(text, "::ffff:10.0.0.7"), text)
            self.assertTrue(has(text, "10.0.0.7"), text)
        self.assertFalse(has("::/0", "::ffff:10.0.0.7"))
        self.assertEqual(client("::ffff:1.2.3.4-::ffff:1.2.3.9").text, "1.2.3.4-1.2.3.9")

    def test_noAddress(self) -> None:
        """
        Who has no address, as by a unix socket, is nobody that is meant.
        """
        for text in ("", "/run/a.sock", "unix", "localhost", "1.2.3"):
            self.assertFalse(Clients(["0.0.0.0/0", "::/0", "*.*.*.*"]).has(numberOf(text)), text)

    def test_normalForms(self) -> None:
        """
        What is shown is the shortest form.
        """
        for text, shown in [
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("10.0.0.1/32", "10.0.0.1"),
            ("2001:db8:0::/32", "2001:db8::/32"),
            ("::0001 - ::9", "::1-::9"),
        ]:
            self.assertEqual(client(text).text, shown)
            self.assertEqual(client(shown).text, shown)

    def test_refused(self) -> None:
        """
        Anything else is refused in words.
        """
        for text, why in [
            ("", "is not an IP address or a network"),
            ("localhost", "is not an IP address or a network"),
            ("10.0.0.1/8", "write 10.0.0.0/8"),
            ("10.0.0.9-10.0.0.1", "runs backwards"),
            ("1.2.3.4-::1", "from one version of IP to the other"),
            ("1.2.3.4-", "is not a range"),
            ("1.2.3.4-x", "is not a range"),
            ("1.2.3.4-1.2.3.5-1.2.3.6", "is not a range"),
            ("10.0.*", "is not a glob"),
            ("10.0.*.*.*", "is not a glob"),
            ("10.0.2*.1", "is not a glob"),
            ("10.256.*.*", "is not a glob"),
            ("2001:db8:*", "is not a glob"),
            ("010.0.*.*", "has a number with a zero in front"),
            ("fe80::1%eth0", "has a zone"),
            ("fe80::1%a-fe80::2%a", "is not a range"),
        ]:
            error = self.assertRaises(ValueError, client, text)
            self.assertIn(why, str(error))
            error = self.assertRaises(ValueError, Clients, ["::1", text])
            self.assertIn(f"the client {text!r} {why}"[:20], str(error))

    @examples(300)
    @given(st.lists(st.tuples(_addresses, st.integers(0, 128)), min_size=1, max_size=6), _addresses)
    def test_networks(self, some: list[tuple[IPv4Address | IPv6Address, int]], asked: object) -> None:
        """
        Networks are what the standard library has them to be, mapped addresses
        being IPv4.
        """
        networks = [ip_network((each, min(bits, each.max_prefixlen)), strict=False) for each, bits in some]
        address = ip_address(str(asked))
        plain = getattr(address, "ipv4_mapped", None) or address
        wanted = False
        for each in networks:
            first = getattr(each.network_address, "ipv4_mapped", None)
            if first is not None and each.prefixlen >= 96:
                each = ip_network(f"{first}/{each.prefixlen - 96}")
            wanted = wanted or (plain.version == each.version and plain in each)
        self.assertIs(Clients(map(str, networks)).has(numberOf(str(asked))), wanted)

    @examples(300)
    @given(st.lists(st.tuples(_addresses, _addresses), min_size=1, max_size=4), _addresses)
    def test_ranges(self, some: list[tuple[object, object]], asked: object) -> None:
        """
        Ranges are compared as the standard library compares addresses.
        """

        def plain(each: object) -> IPv4Address | IPv6Address:
            found = ip_address(str(each))
            return getattr(found, "ipv4_mapped", None) or found

        pairs = [
            sorted((plain(a), plain(b)), key=int) for a, b in some if plain(a).version == plain(b).version
        ]
        wanted = any(
            low.version == plain(asked).version and low <= plain(asked) <= high for low, high in pairs
        )  # type: ignore[operator]
        self.assertIs(Clients([f"{a}-{b}" for a, b in pairs]).has(numberOf(str(asked))), wanted)

    @examples(200)
    @given(_octets, _fours)
    def test_globs(self, octets: list[str], asked: IPv4Address) -> None:
        """
        A glob is compared part by part.
        """
        wanted = all(one in ("*", other) for one, other in zip(octets, str(asked).split("."), strict=True))
        self.assertIs(has(".".join(octets), str(asked)), wanted)

    @examples(200)
    @given(st.text(alphabet="0123456789abcdef:.*-/% ", max_size=24))
    def test_anything(self, text: str) -> None:
        """
        Whatever is written, it is understood, and shown so that it is understood
        again, or a ValueError.
        """
        try:
            found = client(text)
        except ValueError:
            return
        self.assertEqual(client(found.text), found)
