"""
What a request and a connection cost, in calls: a guard that times nothing.

Each bound is a little above what was counted when it was written.  Whoever makes something
cheaper is to lower it; whoever has to raise one says in the change what is bought with that.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Literal

from smartproxy_tw.config.model import TLS, AccessLog, Forward, Route
from smartproxy_tw.plane.census import cell
from smartproxy_tw.wire.frames import PREFACE, settings

from ..plane.harness import TERMINATE, Origin, Peer, PlaneTests, clientSSL, credentialFor, turns
from ..wire.conversations import head
from .counting import Count

_REQUEST = b"GET /shop?item=7 HTTP/1.1\r\nHost: a.test\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n"
_FIELDS = [
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":authority", b"a.test"),
    (b":path", b"/shop?item=7"),
    (b"user-agent", b"test"),
    (b"accept", b"*/*"),
]
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"

# So many are counted, after so many that fill pools and memos.
_MANY = 40
_FIRST = 5

# What each connection of the client costs, and each one to a target.
_ACCEPTED = {"accept": 1.25, "setblocking": 1, "register": 1, "close": 1}
# To connect a second time tells what a turn of the poller would.
_CONNECTED = {"setsockopt": 1, "connect_ex": 2, "register": 1, "close": 1}
_BOTH = {name: _ACCEPTED.get(name, 0) + _CONNECTED.get(name, 0) for name in {*_ACCEPTED, *_CONNECTED}}

#: For one of each: Python calls at most, and system calls by their names.  Counted were 34, 34, 37,
#: 147, 68 and 100 calls; what libraries do in theirs depends on their versions, by a few.
BOUNDS: dict[str, tuple[float, dict[str, float]]] = {
    "an HTTP request on a kept connection": (38, {"poll": 4, "recv": 2, "send": 2}),
    # It is counted all the same, by the entry that the log would be made of.
    "an HTTP request without an access log": (38, {"poll": 4, "recv": 2, "send": 2}),
    "an HTTPS request on a kept connection": (41, {"poll": 4, "recv": 2, "send": 2}),
    # Counted were 70 and 482: of ten at a time each costs a third less, and their answers one send.
    "an HTTP/2 request on a kept connection": (76, {"poll": 4, "recv": 2, "send": 2}),
    "ten HTTP/2 requests at a time": (530, {"poll": 24, "recv": 12, "send": 16}),
    "an HTTPS connection with one request": (160, {**_ACCEPTED, "poll": 12, "recv": 5, "send": 4}),
    "a tunnelled connection": (76, {**_BOTH, "poll": 12, "recv": 4, "send": 2, "shutdown": 1}),
    "a TLS connection passed through by SNI": (
        110,
        {**_BOTH, "poll": 17, "recv": 9, "send": 6, "shutdown": 1},
    ),
}


class CostTests(PlaneTests):
    """
    Counted while clients and origins behave.
    """

    async def costs(self, what: str, once: Callable[[], Awaitable[object]]) -> int:
        """
        Do it often, and compare with the bounds.

        @return: How often it was done.
        """
        for _ in range(_FIRST):
            await once()
        # What comes with the time is no cost of these, and only adds to them: where it comes too often,
        # on a busy machine, they are counted anew.
        done = _FIRST
        for _ in range(5):
            count, calls, grown = await self.counted(what, once)
            done += _MANY
            if not grown:
                break
        if "SMARTPROXY_TW_COSTS" in os.environ:
            print(f"\n{what}: {calls:.1f} Python calls\n{listed(count.calls)}\n{listed(count.system)}")
        self.assertFalse(grown, f"{what} costs more than it did. " + "\n".join(grown))
        return done

    async def counted(
        self, what: str, once: Callable[[], Awaitable[object]]
    ) -> tuple[Count, float, list[str]]:
        """
        Do it often.

        @return: What was counted, the calls of Python for one, and what is above the bounds.
        """
        await turns(5)
        with Count() as count:
            for _ in range(_MANY):
                await once()
            await turns(5)
        most, mostOf = BOUNDS[what]
        # What comes with the time, as the flush of the log does, comes oftener on a busy machine.
        calls = sum(number for number in count.calls.values() if number > _MANY / 4) / _MANY
        grown = [
            f"{name}: {number / _MANY:.2f} system calls, {mostOf.get(name, 0):g} at most"
            for name, number in count.system.items()
            if number / _MANY > mostOf.get(name, 0)
        ]
        if calls > most:
            grown.append(
                f"{calls:.1f} Python calls, {most:g} at most; these are they:\n{listed(count.calls)}"
            )
        return count, calls, grown

    async def web(self) -> Origin:
        """
        An origin that answers.
        """
        origin = self.origin()
        origin.answers(_ANSWER)
        return origin

    async def begin(self, *kinds: str, log: Literal["combined", "off"] = "combined") -> int:
        """
        A port as people have them, with an access log.
        """
        port = await self.port()
        await self.certify("a.test")
        self.raw, self.secret = self.origin(), self.origin(credential=credentialFor("through.test"))
        for origin in (self.raw, self.secret):
            origin.answers(_ANSWER)
        web = Forward(((await self.web()).target,))
        routes = {
            "http": Route("http", (port,), web, "http"),
            "https": Route("https", (port,), web, "http", ("a.test",), tls=TERMINATE),
            "tcp": Route("tcp", (port,), Forward((self.raw.target,)), "tcp"),
            "sni": Route(
                "sni",
                (port,),
                Forward((self.secret.target,)),
                "tcp",
                ("through.test",),
                tls=TLS("passthrough"),
            ),
        }
        records = AccessLog(log, str(self.fresh()))
        await self.use(*[routes[kind] for kind in kinds], accessLog=records, http2PriorKnowledge=True)
        return port

    async def asks(self, client: Peer) -> None:
        """
        One request.
        """
        client.sends(_REQUEST)
        head, body = await client.message()
        self.assertEqual((head[:15], body), (b"HTTP/1.1 200 OK", b"hello"))

    async def test_request(self) -> None:
        """
        HTTP/1.1 on kept connections, on either side.
        """
        client = await self.client(await self.begin("http"))
        await self.costs("an HTTP request on a kept connection", lambda: self.asks(client))

    async def test_countedRequest(self) -> None:
        """
        The same without an access log: what it is counted by costs no call of its own.
        """
        client = await self.client(await self.begin("http", log="off"))
        done = await self.costs("an HTTP request without an access log", lambda: self.asks(client))
        tally = await self.plane.tally()
        self.assertEqual(tally[cell("requests", 200, "http")], done)

    async def test_secretRequest(self) -> None:
        """
        The same over TLS.
        """
        client = await self.tls(await self.begin("http", "https"))
        await self.costs("an HTTPS request on a kept connection", lambda: self.asks(client))

    async def test_framedRequest(self) -> None:
        """
        HTTP/2 from the client, HTTP/1.1 to the target.
        """
        client = await self.framed(await self.begin("http"))
        await self.costs("an HTTP/2 request on a kept connection", lambda: self.asksFramed(client, 1))

    async def test_framedRequests(self) -> None:
        """
        The same by ten at a time, which go out together.
        """
        client = await self.framed(await self.begin("http"))
        await self.costs("ten HTTP/2 requests at a time", lambda: self.asksFramed(client, 10))

    async def framed(self, port: int) -> Peer:
        """
        A client of HTTP/2, played by frames, of which nothing is counted.
        """
        client = await self.client(port)
        client.sends(PREFACE + settings({}))
        await client.until(lambda: len(client.data) > 50, "settings")
        client.data.clear()
        self.stream = 1
        return client

    async def asksFramed(self, client: Peer, count: int) -> None:
        """
        So many requests at a time.
        """
        said = [head(self.stream + 2 * each, isEnd=True, fields=_FIELDS) for each in range(count)]
        self.stream += 2 * count
        client.sends(b"".join(said))
        await client.until(lambda: client.data.count(b"hello") == count, "answers")
        client.data.clear()

    async def test_handshake(self) -> None:
        """
        A whole handshake, one request, and the end.
        """
        port = await self.begin("http", "https")

        async def once() -> None:
            client = await self.tls(port)
            await self.asks(client)
            client.finishes()
            await client.ends()
            client.leaves()
            await self.isIdle()

        await self.costs("an HTTPS connection with one request", once)

    async def once(self, port: int, isSecret: bool) -> None:
        """
        A connection to a target: a few words each way, ended by the client.
        """
        client = await self.client(port, clientSSL("through.test") if isSecret else None)
        await self.asks(client)
        client.finishes()
        origin = self.secret if isSecret else self.raw
        server = origin.peers[-1]
        await server.loses()
        server.finishes()
        await client.ends()
        client.leaves()
        server.leaves()
        await self.isIdle()

    async def test_tunnel(self) -> None:
        """
        A connection on a port that takes nothing but TCP.
        """
        port = await self.begin("tcp")
        await self.costs("a tunnelled connection", lambda: self.once(port, False))

    async def test_passthrough(self) -> None:
        """
        A connection whose name is read from the ClientHello.
        """
        port = await self.begin("sni")
        await self.costs("a TLS connection passed through by SNI", lambda: self.once(port, True))


class CountTests(PlaneTests):
    """
    Of the counting itself.
    """

    async def test_sees(self) -> None:
        """
        A system call in the package is seen, one of a test is not.
        """
        port = await self.port()
        with Count() as count:
            await self.use(Route("all", (port,), Forward((self.origin().target,)), "tcp"))
            listed(count.calls)
        self.assertEqual(count.system["register"], 1)
        self.assertIn("Poller.add", count.calls)
        self.assertNotIn("listed", count.calls)
        self.assertNotIn("socket", count.system)


def listed(counts: Counter[str]) -> str:
    """
    What was counted, for each of those that were done.
    """
    return "\n".join(f"{number / _MANY:8.2f} {name}" for name, number in counts.most_common(60))
