"""
Answers from an ASGI application (version 3.0: HTTP and lifespan; a WebSocket is a
L{Dialogue<smartproxy_tw.actions.dialogue.Dialogue>}).

Such applications live on asyncio, and the data path does not: whichever reactor there is, each
application has a loop and a thread of its own, so that one that blocks its loop keeps no other
connection waiting.  What goes over from one to the other are values; who writes to a client waits until
the client takes it.

When nobody waits for an answer any more the application is told so (C{http.disconnect}), and is cancelled
after a while, again and again if need be, so that its place is another's.  What it does when it has answered
is its own business, and keeps its place.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..guards.sockets import objection
from ..plane.faults import Faults
from .asked import BUSY, NO_WEBSOCKET, Asked, answerLines, ask
from .delivery import Delivery

if TYPE_CHECKING:
    from ..config.application import Application
    from ..interfaces import IExchange
    from .dialogue import Dialogue

__all__ = ["ASGIApplication", "scope"]

_log = Logger()

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_VERSION = {"version": "3.0", "spec_version": "2.4"}
_MISSING = (
    "ASGI application {name} was asked to speak WebSocket, which needs the library websockets:"
    " pip install 'smartproxy_tw[websocket]'"
)
#: How long an application may still be busy with a request whose client has left, or whose time is over,
#: in seconds.
GRACE = 5.0
#: How long requests that are under way, and then the application, may take at the end, in seconds.
_FAREWELL = 5.0


class _Lifespan:
    """
    The life of an application as it is told of it.
    """

    def __init__(self, application: App, name: str) -> None:
        self._application = application
        self._name = name
        self.state: dict[str, Any] = {}
        self.isFailed = False
        self._isKnown = True
        self._ready = asyncio.Event()
        self._leaving = asyncio.Event()
        self._left = asyncio.Event()
        self._asked = 0

    async def run(self) -> None:
        """
        Tell of its beginning and end.
        """
        scope = {"type": "lifespan", "asgi": _VERSION, "state": self.state}
        try:
            await self._application(scope, self._receive, self._send)
        except (Exception, SystemExit) as why:
            if not self._ready.is_set():
                # The specification: an application that raises here has no use for it.
                self._isKnown = False
                _log.debug("ASGI application {name} has no lifespan: {why}", name=self._name, why=why)
            else:
                _log.failure("The lifespan of ASGI application {name} failed", name=self._name)
        finally:
            self._ready.set()
            self._left.set()

    async def begun(self) -> bool:
        """
        Wait for its beginning.

        @return: Whether it may be asked.
        """
        await self._ready.wait()
        return not self.isFailed

    async def end(self) -> None:
        """
        Have it end.
        """
        self._leaving.set()
        await self._left.wait()

    async def _receive(self) -> Message:
        self._asked += 1
        if self._asked == 1:
            return {"type": "lifespan.startup"}
        await self._leaving.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.failed":
            self.isFailed = True
            why = message.get("message", "")
            _log.error("ASGI application {name} did not start: {why}", name=self._name, why=why)
        if kind.startswith("lifespan.startup."):
            self._ready.set()
        elif kind.startswith("lifespan.shutdown."):
            self._left.set()


class ASGIApplication:
    """
    One application, its loop and its thread.
    """

    def __init__(self, settings: Application, application: App, reactor: Any) -> None:
        """
        @param settings: Whose threads, queue and body_bytes count.
        @param application: What was imported.
        @param reactor: Is told from the other thread.
        """
        self._settings = settings
        self._application = application
        self._reactor = reactor
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: Deferred[None] = Deferred()
        self._busy = 0
        self._hasTold = False
        self._faults = Faults(reactor.callLater)

    def begin(self) -> None:
        """
        Be ready to answer; what is asked before the application has started waits.
        """
        self._loop = loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, args=(loop,), daemon=True, name=self._settings.factory).start()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        self._tasks: dict[asyncio.Task[None], _Run | Dialogue] = {}
        self._lifespan = _Lifespan(self._application, self._settings.factory)
        life = loop.create_task(self._lifespan.run())
        try:
            while self._runs(loop):
                pass
        finally:
            life.cancel()
            loop.run_until_complete(asyncio.gather(life, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
            self._reactor.callFromThread(self._hasEnded)

    def _runs(self, loop: asyncio.AbstractEventLoop) -> bool:
        """
        Run until it is stopped, which only this class is to do.

        @return: Whether somebody else has had it stop.
        """
        try:
            loop.run_forever()
        except SystemExit:
            _log.failure("ASGI application {name} asked for the end", name=self._settings.factory)
            return True
        return self._loop is not None

    def _hasEnded(self) -> None:
        if not self._ended.called:
            self._ended.callback(None)

    def close(self) -> Deferred[None]:
        """
        Answer what has been asked, and nothing more.

        @return: Fires when it has ended, or has had its time.
        """
        loop, self._loop = self._loop, None
        if loop is None:
            return succeed(None)
        asyncio.run_coroutine_threadsafe(self._end(loop), loop)
        # A loop that is blocked never gets to it.
        return (
            self._ended.addTimeout(2 * _FAREWELL, self._reactor)
            .addErrback(lambda _: None)
            .addCallback(lambda _: self._faults.close())
        )

    async def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        tasks = list(self._tasks)
        for run in self._tasks.values():
            run.leave()
        if tasks:
            await asyncio.wait(tasks, timeout=_FAREWELL)
        for task in self._tasks:
            task.cancel()
        try:
            await asyncio.wait_for(self._lifespan.end(), _FAREWELL)
        except TimeoutError:
            name = self._settings.factory
            _log.warn("ASGI application {name} did not end in time", name=name)
        loop.stop()

    def request(self, exchange: IExchange) -> None:
        """
        Answer a request.
        """
        ask(exchange, self._settings.bodyBytes, self._isBusy, self._asked, self._opens)

    def _isBusy(self) -> bool:
        return self._loop is None or self._busy >= self._settings.threads + self._settings.queue

    def _asked(self, asked: Asked) -> None:
        loop = self._loop
        if loop is None:
            # It has gone while the body came.
            asked.exchange.respond(*BUSY)
            return
        self._busy += 1
        run = _Run(self._reactor, loop, asked)
        loop.call_soon_threadsafe(self._begin, run)

    def _opens(self, asked: Asked) -> None:
        """
        Somebody asks to speak WebSocket.
        """
        wrong = objection(asked.facts.method, asked.values)
        if wrong is not None:
            asked.exchange.respond(wrong.status, wrong.fields, wrong.body)
            return
        if find_spec("websockets") is None:
            if not self._hasTold:
                self._hasTold = True
                _log.error(_MISSING, name=self._settings.factory)
            asked.exchange.respond(*NO_WEBSOCKET)
            return
        # Few applications speak it.
        from .dialogue import Dialogue

        loop = self._loop
        assert loop is not None
        self._busy += 1
        run = _Run(self._reactor, loop, asked)
        dialogue = Dialogue(self._reactor, loop, run, self._settings.bodyBytes, self._counted)
        loop.call_soon_threadsafe(self._begin, dialogue)

    def _begin(self, run: _Run | Dialogue) -> None:
        """
        On the loop.
        """
        if run.isOver:
            self._reactor.callFromThread(self._counted, -1)
            return
        run.task = task = asyncio.get_running_loop().create_task(self._answer(run))
        self._tasks[task] = run
        task.add_done_callback(self._tasks.pop)

    async def _answer(self, run: _Run | Dialogue) -> None:
        try:
            if await self._lifespan.begun():
                await self._application(run.scope(dict(self._lifespan.state)), run.receive, run.send)
                run.end()
            else:
                run.fail()
        except (Exception, SystemExit):
            if not run.isOver:
                self._reactor.callFromThread(self._failed, Failure())  # type: ignore[no-untyped-call]
            run.fail()
        except asyncio.CancelledError:
            run.fail()
            raise
        finally:
            self._reactor.callFromThread(self._counted, -1)

    def _failed(self, failure: Failure) -> None:
        self._faults.add(failure, "ASGI application {name} failed", name=self._settings.factory)

    def _counted(self, more: int) -> None:
        """
        So many more requests are under way.
        """
        self._busy += more


class _Run:
    """
    One request.  Made on the reactor, then used on the loop.

    @ivar asked: The request.
    @ivar isWhole: Whether the application has given the whole answer, or was told that nobody takes it.
    @ivar task: It, answering; L{None} before it was asked.
    """

    def __init__(self, reactor: Any, loop: asyncio.AbstractEventLoop, asked: Asked) -> None:
        self._reactor = reactor
        self._loop = loop
        self.asked = asked
        self._delivery = Delivery(asked.exchange, self._ended)
        self._isHead = asked.facts.method == "HEAD"
        self._head: tuple[int, bytes, int | None] | None = None
        self._hasBegun = self._hasReceived = False
        self._gone = asyncio.Event()
        self.isWhole = False
        self.task: asyncio.Task[None] | None = None

    @property
    def isOver(self) -> bool:
        """
        Whether nobody waits for an answer any more.
        """
        return self._delivery.isOver

    def scope(self, state: dict[str, Any]) -> Message:
        """
        What the application is called with.
        """
        return scope(self.asked, state)

    def _ended(self) -> None:
        # Who has given the whole answer is not waited for.
        leave = self._gone.set if self.isWhole else self._leave
        try:
            self._loop.call_soon_threadsafe(leave)
        except RuntimeError:
            # The loop has ended before.
            pass

    def _leave(self) -> None:
        """
        On the loop: nobody waits for the answer.
        """
        self._gone.set()
        self._loop.call_later(GRACE, self._cancel)

    def _cancel(self) -> None:
        if self.task is not None and not self.task.done():
            self.task.cancel()
            self._loop.call_later(GRACE, self._cancel)

    def fail(self) -> None:
        """
        There will be no answer, or no more of it.
        """
        self._reactor.callFromThread(self._delivery.fail)

    def end(self) -> None:
        """
        The application has returned.

        @raise RuntimeError: Its answer has not ended.
        """
        if not self.isWhole:
            raise RuntimeError("the application ended before its answer did")

    def leave(self) -> None:
        """
        The application is about to end: what has been asked is answered.
        """

    async def receive(self) -> Message:
        """
        The body, then that the client has left.
        """
        if not self._hasReceived:
            self._hasReceived = True
            return {"type": "http.request", "body": self.asked.body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """
        A part of the answer.

        @raise OSError: The client has left.
        """
        kind = message["type"]
        if kind == "http.response.start":
            if self._head is not None:
                raise RuntimeError("the answer has begun already")
            status = message["status"]
            pairs = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            if not isinstance(status, int) or not 200 <= status <= 599:
                raise ValueError(f"{status!r} is no status of an answer")
            self._head = (status, *answerLines(pairs))
        elif kind == "http.response.body":
            await self._body(message.get("body", b""), bool(message.get("more_body", False)))
        else:
            raise ValueError(f"{kind!r} is no part of an answer")

    async def _body(self, data: bytes, hasMore: bool) -> None:
        if self._head is None or self.isWhole:
            raise RuntimeError("a body is sent after http.response.start, and once")
        if self._delivery.isOver:
            self.isWhole = True
            raise OSError("the client has left")
        self.isWhole = not hasMore
        deliver = self._reactor.callFromThread
        if not hasMore and not self._hasBegun:
            deliver(self._delivery.respond, *self._head, bytes(data), self._isHead)
            return
        head = None if self._hasBegun else self._head
        self._hasBegun = True
        if data or head:
            taken = self._loop.create_future()
            deliver(self._delivery.piece, head, bytes(data), lambda: self.tell(taken))
            await taken
        if not hasMore:
            deliver(self._delivery.finish)

    def tell(self, taken: asyncio.Future[None]) -> None:
        """
        On the reactor: what the application waits for has happened.
        """

        def tell() -> None:
            if not taken.done():
                taken.set_result(None)

        try:
            self._loop.call_soon_threadsafe(tell)
        except RuntimeError:
            # The loop has ended before.
            pass


def scope(asked: Asked, state: dict[str, Any]) -> Message:
    """
    @param state: What the application has put there when it started.
    @return: The scope of a request; the extension C{smartproxy.facts} has what the proxy knows of it.
    """
    facts = asked.facts
    return {
        "type": "http",
        "asgi": _VERSION,
        "http_version": "1.1",
        "method": facts.method,
        "scheme": asked.scheme,
        "path": unquote_to_bytes(facts.path).decode("utf-8", "replace"),
        "raw_path": facts.path.encode("ascii"),
        "query_string": facts.query.encode("ascii"),
        "root_path": "",
        "headers": [(name.encode("ascii"), value.encode("utf-8")) for name, value in asked.fields],
        "client": tuple(asked.client),
        "server": asked.server,
        "state": state,
        "extensions": {"smartproxy.facts": {"facts": facts}},
    }
