"""
A resolver on a loopback port that tells what a test says, and nothing else.

    >>> resolver = Resolver()
    >>> resolver.has("a.test", dns.Record_A("192.0.2.1"))
    >>> resolver.says("b.test", dns.ESERVER)
    >>> resolver.settings                   # for those who ask
    >>> resolver.goesSilent()
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.names import dns

from smartproxy_tw.upstream.nameservers import NameServers

__all__ = ["CAA", "Resolver", "caa"]

CAA = 257


def caa(tag: bytes, value: bytes, flags: int = 0) -> Any:
    """
    The data of a record.
    """
    return dns.UnknownRecord(bytes((flags, len(tag))) + tag + value)


class Resolver(DatagramProtocol):
    """
    By UDP, and by TCP at the same port.

    @ivar asked: Each question, as C{(name, type)}.
    @ivar isCutting: Whether what goes by UDP is cut off.
    """

    noisy = False

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.isCutting = False
        self._records: defaultdict[str, list[tuple[int, Any]]] = defaultdict(list)
        self._codes: dict[tuple[str, int | None], int] = {}
        self._isSilent = False
        self._bogus: set[str] = set()
        self._ports: list[Any] = []

    def listen(self, reactor: Any) -> None:
        """
        Begin.
        """
        factory = Factory.forProtocol(_Stream)
        factory.resolver = self  # type: ignore[attr-defined]
        factory.noisy = False
        while not self._ports:
            tcp = reactor.listenTCP(0, factory, interface="127.0.0.1")
            try:
                udp = reactor.listenUDP(tcp.getHost().port, self, interface="127.0.0.1")
            except CannotListenError:
                tcp.stopListening()
            else:
                self._ports = [udp, tcp]

    async def close(self) -> None:
        """
        End.
        """
        for port in self._ports:
            await port.stopListening()

    @property
    def settings(self) -> NameServers:
        """
        How to ask it: with patience, however busy the machine is, but not for nothing.
        """
        seconds: Any = 0.05 if self._isSilent else 10
        return NameServers((("127.0.0.1", self._ports[0].getHost().port),), timeouts=(seconds,))

    def has(self, name: str, *payloads: Any, kind: int | None = None) -> None:
        """
        Know records, besides those that there are.
        """
        self._records[name] += [(kind or each.TYPE, each) for each in payloads]

    def hasCAA(self, name: str, tag: str, value: str, flags: int = 0) -> None:
        """
        Know a CAA record.
        """
        self.has(name, caa(tag.encode(), value.encode(), flags), kind=CAA)

    def says(self, name: str, code: int, kind: int | None = None) -> None:
        """
        Answer questions about a name with an error.
        """
        self._codes[name, kind] = code

    def isBogus(self, name: str) -> None:
        """
        Answer SERVFAIL, unless it is asked not to mind.
        """
        self._bogus.add(name)

    def goesSilent(self) -> None:
        """
        Answer nothing.
        """
        self._isSilent = True

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Answer."""
        answer = self.answer(datagram, isCut=self.isCutting)
        if answer is not None and self.transport is not None:
            self.transport.write(answer, addr)

    def answer(self, datagram: bytes, *, isCut: bool = False) -> bytes | None:
        """
        The answer to a message.
        """
        if self._isSilent:
            return None
        question: Any = dns.Message()
        question.fromStr(datagram)
        (query,) = question.queries
        name = query.name.name.decode()
        self.asked.append((name, query.type))
        reply: Any = dns.Message(id=question.id, answer=1, recDes=1, recAv=1, maxSize=0)
        reply.queries = question.queries
        if isCut:
            reply.trunc = 1
            whole: bytes = reply.toStr()
            return whole
        code = self._codes.get((name, query.type), self._codes.get((name, None), 0))
        if name in self._bogus and not question.checkingDisabled:
            code = dns.ESERVER
        reply.rCode = code
        if not code:
            reply.answers = self._found(name, query.type)
            if name not in self._records and not any(each.endswith(f".{name}") for each in self._records):
                reply.rCode = dns.ENAME
        found: bytes = reply.toStr()
        return found

    def _found(self, name: str, kind: int) -> list[Any]:
        answers = []
        for _ in range(9):
            records = self._records.get(name, [])
            answers += [
                dns.RRHeader(name.encode(), number, dns.IN, 60, each)
                for number, each in records
                if number in (kind, dns.CNAME)
            ]
            aliases = [each for number, each in records if number == dns.CNAME]
            if not aliases or kind == dns.CNAME:
                break
            name = aliases[0].name.name.decode()
        return answers


class _Stream(Protocol):
    def dataReceived(self, data: bytes) -> None:
        answer = self.factory.resolver.answer(data[2:])  # type: ignore[union-attr]
        if answer is not None and self.transport is not None:
            self.transport.write(len(answer).to_bytes(2, "big") + answer)
