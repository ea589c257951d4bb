"""
Tests for L{smartproxy_tw.service.berths}, with real sockets.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.protocol import DatagramProtocol, ServerFactory
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from smartproxy_tw.config.model import Acme, Admin, Config, Metrics, OwnZones
from smartproxy_tw.facts import Address
from smartproxy_tw.service.berths import Berths, namesIn
from smartproxy_tw.service.deposit import Deposit, nameOf
from smartproxy_tw.service.inherited import Handed, Inherited

from ..ports import freePorts

reactor: Any = _reactor
HERE = "127.0.0.1"


def place(port: Any) -> Address:
    """
    Where a port listens.
    """
    found = port.getHost()
    return Address(found.host, found.port)


class BerthTests(TestCase):
    """
    From one process to the next.
    """

    def setUp(self) -> None:
        self.told: list[str] = []
        self.ports: list[Any] = []

    def tearDown(self) -> Deferred[Any]:
        return gatherResults([maybeDeferred(each.stopListening) for each in self.ports])

    def berths(self, inherited: Inherited | None = None, *, isLeft: bool = False) -> Berths:
        """
        Those of one process.
        """

        def send(message: bytes, descriptors: Sequence[int]) -> bool:
            self.told.append(message.decode())
            return True

        deposit = None
        if isLeft:
            deposit = Deposit(send, Clock(), 8)
            deposit.begin()
        berths = Berths(reactor, inherited, deposit)
        self.addCleanup(berths.close)
        return berths

    def listen(self, berths: Berths, address: Address) -> tuple[Any, Any]:
        """
        By TCP, and by UDP on the same number.
        """
        tcp = berths.listenTCP(address, ServerFactory())
        udp = berths.listenUDP(place(tcp), DatagramProtocol())
        self.ports += [tcp, udp]
        return tcp, udp

    def test_bound(self) -> Deferred[None]:
        """
        Where nothing was handed over it is bound, and closed for good with its port.
        """
        tcp, _ = self.listen(self.berths(), Address(HERE, freePorts(1)[0]))
        where = place(tcp)
        socket.create_connection(where, timeout=60).close()

        def closed(_: object) -> None:
            self.assertRaises(ConnectionRefusedError, socket.create_connection, where)

        return maybeDeferred(tcp.stopListening).addCallback(closed)

    async def _handOver(self, before: Berths, *, isLeft: bool) -> None:
        tcp, udp = self.listen(before, Address(HERE, freePorts(1)[0]))
        address = place(tcp)
        given = [Handed("it", each.dup(), isManaged) for each, isManaged in before.bequest()]
        inherited = Inherited(given)
        self.addCleanup(inherited.close)
        self.assertEqual(inherited.dismiss({nameOf(address), nameOf(address, isUDP=True)}), ())
        for each in (tcp, udp):
            await maybeDeferred(each.stopListening)
        before.close()
        # There is no process that accepts, and nobody is refused.
        waiting = socket.create_connection((HERE, address.port), timeout=60)
        self.addCleanup(waiting.close)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((HERE, address.port))
            client.send(b"question")
            after = self.berths(inherited, isLeft=isLeft)
            ports = self.listen(after, address)
            self.assertEqual([place(each) for each in ports], [address, address])
            for each in ports:
                self.assertFalse(os.get_blocking(each.socket.fileno()))
            self.assertEqual(ports[1].socket.recv(100), b"question")
            client.send(b"another")
        accepted, _ = ports[0].socket.accept()
        accepted.close()

    def test_handedOver(self) -> Deferred[None]:
        """
        What the next process is handed it uses: who came in between is there.
        """
        return Deferred.fromCoroutine(self._handOver(self.berths(), isLeft=False))

    def test_left(self) -> Deferred[None]:
        """
        Likewise where it is left with the service manager, which is told of each.
        """
        done = Deferred.fromCoroutine(self._handOver(self.berths(isLeft=True), isLeft=True))

        def told(_: object) -> None:
            number = self.told[0].rpartition("/")[2]
            tcp = f"FDSTORE=1\nFDNAME=smartproxy_tw/tcp/{HERE}/{number}"
            udp = f"FDSTORE=1\nFDNAME=smartproxy_tw/udp/{HERE}/{number}\nFDPOLL=0"
            self.assertEqual(self.told, [tcp, udp] * 2)

        return done.addCallback(told)

    def test_again(self) -> Deferred[None]:
        """
        What others have too can be closed and opened again: an upgrade that comes to
        nothing begins its doors anew.
        """
        return Deferred.fromCoroutine(self._again())

    async def _again(self) -> None:
        berths = self.berths()
        tcp, udp = self.listen(berths, Address(HERE, freePorts(1)[0]))
        address = place(tcp)
        others = [each.dup() for each, _ in berths.bequest()]
        self.addCleanup(lambda: [each.close() for each in others])
        for each in (tcp, udp):
            await maybeDeferred(each.stopListening)
        tcp, udp = self.listen(berths, address)
        self.assertEqual((place(tcp), place(udp)), (address, address))

    def test_managed(self) -> None:
        """
        One that a socket unit has opened is used, and not left.
        """
        sock = socket.create_server((HERE, 0))
        address = Address(HERE, sock.getsockname()[1])
        inherited = Inherited([Handed("admin", sock)])
        self.addCleanup(inherited.close)
        berths = self.berths(inherited, isLeft=True)
        inherited.dismiss({nameOf(address)})
        self.ports.append(berths.listenTCP(address, ServerFactory()))
        self.assertEqual(self.told, [])
        self.assertEqual([isManaged for _, isManaged in berths.bequest()], [True])


class NamesTests(TestCase):
    """
    Which ports these are.
    """

    def test_names(self) -> None:
        """
        Those of the admin's questions, of the metrics and of the name server.
        """
        self.assertEqual(namesIn(Config((), "/s")), frozenset())
        zones = OwnZones(("p.test",), "ns.test", (Address("::1", 53),))
        config = Config(
            (),
            "/s",
            admin=Admin("/s/admin.sock", Address(HERE, 1)),
            metrics=Metrics(Address(HERE, 2)),
            acme=Acme(dns=zones),
        )
        self.assertEqual(
            sorted(namesIn(config)),
            [f"smartproxy_tw/tcp/{rest}" for rest in (f"{HERE}/1", f"{HERE}/2", "__1/53")]
            + ["smartproxy_tw/udp/__1/53"],
        )
