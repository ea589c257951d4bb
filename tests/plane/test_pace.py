"""
How fast a client has to be, with what it sends and with what it takes.
"""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Forward, Limits, Respond, Route, Target, Timeouts
from smartproxy_tw.plane.pace import Pace, taken

from ..examples import examples
from .conversation import GET, HELLO, SessionTests, alive, status
from .harness import Origin, Peer, field, turns

POST = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"


class PaceTests(SynchronousTestCase):
    """
    L{Pace} with a poller's clock.
    """

    def begin(self, seconds: float = 5.0, most: float = 30.0, rate: int = 100) -> None:
        """
        Begin at a time that is not zero.
        """
        self.poller: Any = SimpleNamespace(now=1000.0, mortals={})
        self.total = 7000
        self.ended: list[float] = []
        self.pace = Pace(
            self.poller, seconds, most, rate, lambda: self.total, lambda: self.ended.append(self.poller.now)
        )

    def passes(self, seconds: float, moved: int = 0) -> None:
        """
        Time passes as the poller has it, in quarters of a second.
        """
        self.total += moved
        until = self.poller.now + seconds
        while self.poller.now < until:
            self.poller.now += 0.25
            if self.pace in self.poller.mortals and self.pace.deadline <= self.poller.now:
                self.pace.expire()

    def test_nothing(self) -> None:
        """
        Who does nothing is too slow when the first seconds are over, and that
        is told once.
        """
        self.begin()
        self.passes(4.75)
        self.assertEqual(self.ended, [])
        self.passes(100)
        self.assertEqual(self.ended, [1005.0])
        self.assertEqual(self.poller.mortals, {})

    def test_justFastEnough(self) -> None:
        """
        Who is just as fast as has to be goes on for ever; who is a little
        slower does not.
        """
        for moved, isEnough in ((100, True), (80, False)):
            self.begin()
            for _ in range(200):
                self.passes(1, moved)
            self.assertEqual(self.ended == [], isEnough, moved)

    @given(
        st.lists(
            st.tuples(st.booleans(), st.integers(1, 60), st.sampled_from((0, 128, 1000, 5000, 20000))),
            min_size=1,
            max_size=30,
        )
    )
    @examples(200)
    def test_anyCourse(self, course: list[tuple[bool, int, int]]) -> None:
        """
        However a client comes, pauses and is waited for in vain: who goes on has
        bought all the time that it took, and who is ended has not, counted from
        the beginning or from a time when no more could have been saved.
        """
        seconds, most, rate = 5.0, 30.0, 128
        self.begin(seconds, most, rate)
        before = self.total
        # The seconds that have counted, and the bytes, at each look that there may have been.
        looks = [(0.0, 0)]
        counted = 0.0
        for isHeld, quarters, moved in course:
            (self.pace.hold if isHeld else self.pace.go)()
            for quarter in range(quarters):
                self.passes(0.25, 0 if quarter else moved)
                counted += 0 if isHeld else 0.25
                now = self.total - before
                looks.append((counted, now))
                if self.ended:
                    left = [
                        (most if at else seconds) + (now - bytes_) / rate - (counted - since)
                        for at, (since, bytes_) in enumerate(looks)
                    ]
                    self.assertLessEqual(min(left), 0)
                    self.assertFalse(isHeld)
                    self.passes(100)
                    self.assertEqual((len(self.ended), self.poller.mortals), (1, {}))
                    return
                self.assertGreater(seconds + now / rate, counted)

    def test_saved(self) -> None:
        """
        A burst pays for a pause, but not for a longer one than can be saved.
        """
        self.begin()
        self.passes(5, 1_000_000_000)
        self.assertEqual(self.pace.deadline, 1035.0)
        self.passes(100)
        self.assertEqual(self.ended, [1035.0])

    def test_held(self) -> None:
        """
        While it is held no time passes, and what was left is left.
        """
        self.begin()
        self.passes(3)
        self.pace.hold()
        self.pace.hold()
        self.passes(1000)
        self.assertEqual(self.ended, [])
        self.pace.go()
        self.pace.go()
        self.passes(1.75)
        self.assertEqual(self.ended, [])
        self.passes(1)
        self.assertEqual(self.ended, [2005.0])

    def test_noRate(self) -> None:
        """
        Without a rate a single byte buys everything, none nothing.
        """
        self.begin(30.0, 30.0, 0)
        for _ in range(10):
            self.passes(29, 1)
        self.assertEqual(self.ended, [])
        self.passes(60)
        self.assertEqual(len(self.ended), 1)

    def test_looks(self) -> None:
        """
        Who is fast is looked at twice a minute, not more.
        """
        self.begin()
        looks = []
        self.pace._count = lambda: looks.append(1) or self.total  # type: ignore[func-returns-value]
        self.passes(600, 1_000_000_000)
        self.assertLessEqual(len(looks), 21)

    def test_crash(self) -> None:
        """
        A bug ends whom it was for.
        """
        self.begin()
        self.pace.crash()
        self.assertEqual((len(self.ended), self.poller.mortals), (1, {}))


class TakenTests(SynchronousTestCase):
    """
    L{taken}.
    """

    def test_counts(self) -> None:
        """
        What the peer's kernel has is counted, what waits in ours is not.
        """
        with socket.create_server(("127.0.0.1", 0)) as listening:
            client = socket.create_connection(listening.getsockname())
            server, _ = listening.accept()
        with client, server:
            before = taken(server)
            server.sendall(b"x" * 1000)
            self.assertEqual(client.recv(1000, socket.MSG_WAITALL | socket.MSG_PEEK)[:1], b"x")
            for _ in range(1000):
                if taken(server) - before >= 1000:
                    break
            self.assertEqual(taken(server) - before, 1000)
            server.setblocking(False)
            given = 0
            try:
                while True:
                    given += server.send(bytes(65536))
            except BlockingIOError:
                pass
            self.assertLess(taken(server) - before, given)

    def test_unknown(self) -> None:
        """
        Of what is no TCP it cannot be known.
        """
        one, two = socket.socketpair()
        with one, two:
            self.assertEqual(taken(one), 0)


class TimedTests(SessionTests):
    """
    With a clock that is pushed forward.
    """

    async def passes(self, seconds: float) -> None:
        """
        Time passes.
        """
        self.world.advance(seconds)
        await turns(10)
        await self.swept()


class BodyTests(TimedTests):
    """
    Bodies of requests.
    """

    async def uploads(self, head: bytes = POST, **others: Any) -> tuple[Peer, Peer, Origin]:
        """
        A request whose body is still to come, at its target.
        """
        port, origin = await self.begin(**others)
        client = await self.client(port)
        client.sends(head)
        server = await origin.accepts()
        await server.head()
        return client, server, origin

    async def trickle(self, client: Peer, piece: bytes, times: int) -> None:
        """
        A piece each second.
        """
        for _ in range(times):
            if not client.isOver:
                client.sends(piece)
            await turns(4)
            await self.passes(1)

    async def test_trickles(self) -> None:
        """
        A body that never stalls and never gets anywhere is 408, fixed or in
        chunks, and the target's connection is cut in the middle.
        """
        for head, piece in ((POST, b"x"), (CHUNKED, b"1\r\nx\r\n")):
            client, server, _ = await self.uploads(head)
            await self.trickle(client, piece, 4)
            self.assertFalse(client.isOver)
            await self.trickle(client, piece, 3)
            answer, body = await client.message()
            self.assertEqual((status(answer), field(answer, b"connection")), (408, b"close"))
            self.assertEqual(body, b"408 Request Timeout\n")
            await client.ends()
            await server.loses()
            client.leaves()
            await self.isIdle()
        self.assertEqual(self.plane.engine.counts["refusals"], 2)

    async def test_fastEnough(self) -> None:
        """
        One that is as fast as has to be arrives, however long it takes.
        """
        client, server, _ = await self.uploads(POST.replace(b"1000000", b"10000"))
        await self.trickle(client, b"x" * 250, 40)
        self.assertEqual(len(await server.takes(10_000)), 10_000)
        server.sends(HELLO)
        await client.expects(HELLO)
        await self.passes(50)
        client.sends(GET)
        await server.head()

    async def test_options(self) -> None:
        """
        The rate and the time before it counts are limits.min_rate and
        timeouts.body.
        """
        client, _, _ = await self.uploads(limits=Limits(minRate=10_000), timeouts=Timeouts(body=12))
        await self.trickle(client, b"x" * 1000, 11)
        self.assertFalse(client.isOver)
        await self.trickle(client, b"x" * 1000, 4)
        self.assertEqual(status(await client.head()), 408)

    async def test_noRate(self) -> None:
        """
        Without a rate a body may trickle as long as it does not stall for
        timeouts.idle.
        """
        client, server, _ = await self.uploads(limits=Limits(minRate=0), timeouts=Timeouts(idle=50))
        for _ in range(3):
            await self.passes(45)
            client.sends(b"x")
            await server.expects(b"x")
        await self.passes(51)
        self.assertEqual(status(await client.head()), 408)

    async def test_targetIsSlow(self) -> None:
        """
        While the target takes nothing the client is not to blame, and when it
        does the client has its time.
        """
        client, server, _ = await self.uploads(POST.replace(b"1000000", b"30000000"))
        server.transport.pauseProducing()
        client.sends(bytes(29_999_000))
        await self.stalled(client)
        await self.passes(200)
        self.assertFalse(client.isOver)
        server.watch = lambda data: None
        server.transport.resumeProducing()
        await self.settles(lambda: server.received > 29_999_000, "it has arrived")
        await self.passes(3)
        self.assertFalse(client.isOver)
        # The last piece of it is counted at the first look.
        await self.passes(31)
        await self.passes(31)
        self.assertEqual(status(await client.head()), 408)

    async def stalled(self, peer: Peer) -> None:
        """
        Wait until the plane takes no more from a peer.
        """
        before = -1
        while before != len(peer.transport.dataBuffer) + len(peer.transport._tempDataBuffer):
            before = len(peer.transport.dataBuffer) + len(peer.transport._tempDataBuffer)
            await turns(30)

    async def test_connecting(self) -> None:
        """
        Nor while the target is still being connected to.
        """
        port = await self.port()
        await self.use(
            Route("all", (port,), Forward((Target("slow.test", 80),)), "http"), timeouts=Timeouts(connect=60)
        )
        self.world.nameResolver.isSilent = True
        client = await self.client(port)
        client.sends(POST + b"x")
        await self.settles(lambda: bool(self.world.nameResolver.asked), "it is looked for")
        await self.passes(50)
        self.assertFalse(client.isOver)
        await self.passes(11)
        self.assertEqual(status(await client.head()), 504)

    async def test_notInvited(self) -> None:
        """
        Nor while it waits for 100; a target that says nothing is 504.  Once
        invited, it counts.
        """
        expecting = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
        client, server, _ = await self.uploads(expecting, timeouts=Timeouts(idle=50))
        await self.passes(49)
        self.assertFalse(client.isOver)
        await self.passes(2)
        self.assertEqual(status(await client.head()), 504)
        client.leaves()
        client, server, _ = await self.uploads(expecting)
        await self.passes(49)
        server.sends(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        self.assertEqual(status(await client.head()), 103)
        await self.passes(49)
        server.sends(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertEqual(status(await client.head()), 100)
        await self.passes(4)
        self.assertFalse(client.isOver)
        await self.passes(2)
        self.assertEqual(status(await client.head()), 408)

    async def test_invitesItself(self) -> None:
        """
        A client that does not wait for its 100 is held to its pace.
        """
        client, server, _ = await self.uploads(POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        client.sends(b"x")
        await server.expects(b"x")
        await self.passes(3)
        client.sends(b"x")
        await server.expects(b"x")
        await self.passes(4)
        self.assertEqual(status(await client.head()), 408)

    async def test_answerBegun(self) -> None:
        """
        Once the answer has begun a client may stop sending, and gets all of
        it.
        """
        client, server, _ = await self.uploads()
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await client.through(b"ab")
        await self.passes(100)
        self.assertFalse(client.isOver)
        server.sends(b"cd")
        await client.expects(b"cd")
        await client.ends()

    async def test_clientGone(self) -> None:
        """
        A client that goes takes its pace with it, in every state.
        """
        for held in (False, True):
            client, server, _ = await self.uploads(POST.replace(b"1000000", b"30000000"))
            if held:
                server.transport.pauseProducing()
                client.sends(bytes(20_000_000))
                await self.stalled(client)
            client.breaks()
            await self.isIdle()
            self.assertFalse([each for each in self.plane.engine.poller.mortals if isinstance(each, Pace)])
            server.breaks()


class AnswerTests(TimedTests):
    """
    Answers that are not taken.
    """

    SIZE = 20_000_000

    async def unread(self, **others: Any) -> Peer:
        """
        A client that does not read.
        """
        port, origin = await self.begin(**others)
        client = await self.client(port)
        self.pauses(client)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.SIZE + bytes(self.SIZE))
        await self.filled()
        return client

    def pauses(self, client: Peer) -> None:
        """
        It reads no more, and its kernel's window does not grow.
        """
        client.transport.pauseProducing()
        client.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)

    async def filled(self) -> None:
        """
        Wait until no kernel takes any more.
        """
        await self.settles(lambda: any(each.wire.pending for each in alive(self)), "it is not taken")
        [session] = alive(self)
        before = -1
        while before != taken(session.wire.sock):
            before = taken(session.wire.sock)
            await turns(50)

    async def test_stalls(self) -> None:
        """
        Nothing is taken for timeouts.write: the connection breaks, and so does
        the target's.
        """
        client = await self.unread(timeouts=Timeouts(write=20))
        await self.passes(1.5)
        await self.passes(19)
        self.assertEqual(self.plane.engine.open, 1)
        for _ in range(4):
            if alive(self):
                await self.passes(21)
        await self.isIdle()
        client.transport.resumeProducing()
        await client.breaksOff()

    async def test_bitByBit(self) -> None:
        """
        A few bytes now and then do not help.
        """
        client = await self.unread()
        sock = client.transport.getHandle()
        await self.passes(1.5)
        for _ in range(20):
            if alive(self):
                await self.passes(14)
                sock.recv(10)
        await self.isIdle()

    async def test_slowly(self) -> None:
        """
        Slowly, but fast enough: it goes on, although the kernel asks for more
        only now and then.
        """
        client = await self.unread(timeouts=Timeouts(write=20))
        sock = client.transport.getHandle()
        for _ in range(20):
            await self.passes(10)
            found = 0
            while found < 300_000:
                try:
                    found += len(sock.recv(300_000 - found))
                except BlockingIOError:
                    await turns(1)
        self.assertEqual(self.plane.engine.open, 1)
        sock.setblocking(False)
        client.breaks()
        await self.isIdle()

    async def test_uploadDoesNotHelp(self) -> None:
        """
        Nor do bytes that it sends meanwhile.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        self.pauses(client)
        client.sends(POST)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.SIZE + bytes(self.SIZE))
        await self.filled()
        for _ in range(240):
            client.sends(b"x" * 300)
            await self.passes(0.5)
            if not alive(self):
                break
        await self.isIdle()

    async def test_refusal(self) -> None:
        """
        It holds for answers that were given from here as well, also while
        draining.
        """
        port, _ = await self.begin(
            Route("r", (1,), Respond(body="x" * self.SIZE), "http", path="/r"), timeouts=Timeouts(write=20)
        )
        client = await self.client(port)
        self.pauses(client)
        client.sends(b"GET /r HTTP/1.1\r\nHost: a.test\r\n\r\n")
        await self.filled()
        drained = self.plane.drain(100)
        for _ in range(8):
            if alive(self):
                await self.passes(11)
        await self.isIdle()
        self.assertEqual(await drained, 0)
