"""
Tests for L{smartproxy_tw.service.addresses}.
"""

from __future__ import annotations

import socket

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import Address
from smartproxy_tw.service.addresses import addressesFor, everywhere, interfacesFor

from ..examples import examples

DUAL = ("::",)
APART = ("::", "0.0.0.0")
V4 = ("0.0.0.0",)


def covers(bound: tuple[str, ...], wanted: str, everything: tuple[str, ...]) -> bool:
    """
    Whether a connection to an address would be taken.
    """
    if wanted in bound:
        return True
    if ":" in wanted:
        return "::" in bound
    return "0.0.0.0" in bound or ("::" in bound and everything == DUAL)


class EverywhereTests(SynchronousTestCase):
    """
    All addresses of a machine.
    """

    def file(self, content: str) -> str:
        """
        The kernel's switch.
        """
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(content)
        return path

    def test_here(self) -> None:
        """
        What it answers here can be bound on one port without a collision, and
        takes IPv4.
        """
        sockets = []
        self.addCleanup(lambda: [each.close() for each in sockets])
        port = 0
        for address in everywhere():
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sockets.append(socket.socket(family))
            sockets[-1].bind((address, port))
            sockets[-1].listen()
            port = sockets[-1].getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=60).close()

    def test_kernelThatKeepsThemApart(self) -> None:
        """
        Where IPv6 sockets take IPv6 only, both are bound.
        """
        if everywhere(self.file("0\n")) == V4:
            self.assertEqual(everywhere(self.file("1\n")), V4)
        else:
            self.assertEqual(everywhere(self.file("0\n")), DUAL)
            self.assertEqual(everywhere(self.file("1\n")), APART)

    def test_withoutIPv6(self) -> None:
        """
        Where there is no IPv6, IPv4 is all.
        """

        class NoSocket:
            AF_INET6 = socket.AF_INET6
            SOCK_STREAM = socket.SOCK_STREAM

            def socket(self, *_: object) -> None:
                raise OSError(97, "Address family not supported by protocol")

        from smartproxy_tw.service import addresses

        self.patch(addresses, "socket", NoSocket())
        self.assertEqual(everywhere(), V4)


class InterfacesTests(SynchronousTestCase):
    """
    What to bind each port on.
    """

    def test_nothingSaid(self) -> None:
        """
        Nothing said means all addresses.
        """
        for everything in (DUAL, APART, V4):
            self.assertEqual(interfacesFor((), everything), everything)

    def test_bothWildcardsCollide(self) -> None:
        """
        0.0.0.0 and :: together are one dual-stack socket where they would
        collide.
        """
        self.assertEqual(interfacesFor(("0.0.0.0", "::"), DUAL), ("::",))
        self.assertEqual(interfacesFor(("0.0.0.0", "::"), APART), APART)

    def test_coveredIsLeftOut(self) -> None:
        """
        An address that a wildcard covers is not bound beside it.
        """
        self.assertEqual(interfacesFor(("::", "127.0.0.1", "::1"), DUAL), ("::",))
        self.assertEqual(interfacesFor(("::", "127.0.0.1", "::1"), APART), ("::", "127.0.0.1"))
        self.assertEqual(interfacesFor(("127.0.0.1", "0.0.0.0", "::1"), DUAL), ("0.0.0.0", "::1"))

    def test_inOrderAndOnce(self) -> None:
        """
        Plain addresses stay in their order, each once, in their shortest form.
        """
        self.assertEqual(interfacesFor(("10.0.0.1", "0:0::1", "10.0.0.1", "::1"), DUAL), ("10.0.0.1", "::1"))

    @examples()
    @given(
        st.lists(st.sampled_from(["0.0.0.0", "::", "127.0.0.1", "10.0.0.1", "::1", "fe80::1"])),
        st.sampled_from([DUAL, APART, V4]),
    )
    def test_coversWhatWasAskedForWithoutCollision(
        self, bind: list[str], everything: tuple[str, ...]
    ) -> None:
        """
        Whatever was asked for is covered, and no socket covers another.
        """
        bound = interfacesFor(bind, everything)
        if everything != V4:
            for each in bind:
                self.assertTrue(covers(bound, each, everything), f"{each} is not covered by {bound}")
        for each in bound:
            others = tuple(other for other in bound if other != each)
            self.assertFalse(covers(others, each, everything), f"{each} collides in {bound}")


class HandedOverTests(SynchronousTestCase):
    """
    Ports that have sockets already.
    """

    def places(self, bind: tuple[str, ...], everything: tuple[str, ...], **handed: bool) -> list[str]:
        """
        Where port 80 is served.

        @param handed: Names stand for addresses; whether they take IPv4 too.
        """
        hosts = {"six": "::", "four": "0.0.0.0", "home": "127.0.0.1"}
        there = {Address(hosts[name], 80): isDual for name, isDual in handed.items()}
        return [each.host for each in addressesFor(80, bind, everything, there)]

    def test_none(self) -> None:
        """
        Without any, and with those of other ports, it is as ever.
        """
        self.assertEqual(self.places((), DUAL), ["::"])
        other = {Address("127.0.0.1", 81): False}
        self.assertEqual(addressesFor(80, (), APART, other), (Address("::", 80), Address("0.0.0.0", 80)))

    def test_theySayIt(self) -> None:
        """
        Where the configuration leaves it open they say where, as nothing could be
        bound beside them.
        """
        self.assertEqual(self.places((), DUAL, six=True), ["::"])
        self.assertEqual(self.places((), DUAL, six=False), ["::"])
        self.assertEqual(self.places((), DUAL, four=False), ["0.0.0.0"])
        self.assertEqual(self.places((), DUAL, home=False), ["127.0.0.1"])
        self.assertEqual(self.places((), APART, six=False, four=False), ["::", "0.0.0.0"])

    def test_theySayNothing(self) -> None:
        """
        Those that are the proxy's own do not say it: all addresses are served, by what is
        there if it fits.
        """
        there = {Address("::", 80): True, Address("127.0.0.1", 81): False}
        for number in (80, 81):
            self.assertEqual(addressesFor(number, (), DUAL, there, ()), (Address("::", number),))

    def test_theConfigurationSaysIt(self) -> None:
        """
        Where it names addresses, no more and no less is served.
        """
        self.assertEqual(self.places(("127.0.0.1",), DUAL, six=True), ["127.0.0.1"])
        self.assertEqual(self.places(("127.0.0.1", "::1"), DUAL, home=False), ["127.0.0.1", "::1"])
        self.assertEqual(self.places(("0.0.0.0",), DUAL, six=True), ["0.0.0.0"])

    def test_ipv6Only(self) -> None:
        """
        A socket that takes IPv6 alone has one for IPv4 bound beside it, where the
        address that was named would have taken both.
        """
        self.assertEqual(self.places(("::",), DUAL, six=False), ["::", "0.0.0.0"])
        self.assertEqual(self.places(("::", "0.0.0.0"), DUAL, six=False), ["::", "0.0.0.0"])
        self.assertEqual(self.places(("::",), APART, six=False), ["::"])

    def test_both(self) -> None:
        """
        A socket that takes both has none for IPv4 beside it.
        """
        self.assertEqual(self.places(("::", "0.0.0.0"), APART, six=True), ["::"])
        self.assertEqual(self.places(("::", "127.0.0.1"), APART, six=True), ["::"])
