"""
Python code such as routes are answered by, each piece by its dotted name.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

__all__ = [
    "Loud",
    "Page",
    "Pieces",
    "Talk",
    "asgi",
    "bare",
    "failing",
    "go",
    "happened",
    "loud",
    "page",
    "talking",
    "wsgi",
]

StartResponse = Callable[..., Callable[[bytes], None]]

#: Set for WSGI applications that wait.
go = threading.Event()
#: What has happened.
happened: list[Any] = []


def wsgi(environ: dict[str, Any], startResponse: StartResponse) -> Iterable[bytes]:
    """
    Does what the path says.
    """
    path = environ["PATH_INFO"]
    if path == "/environ":
        body = repr({key: value for key, value in environ.items() if "." not in key}).encode()
        startResponse("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]
    if path == "/digest":
        body = hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()
        startResponse("201 Created", [("X-Name", "value")])
        return [body]
    if path == "/named":
        startResponse("200 OK", [])
        return [environ.get("HTTP_X_NAME", "").encode("latin-1")]
    if path == "/fail":
        raise RuntimeError("a bug of the application")
    if path == "/exit":
        raise SystemExit(1)
    if path == "/late":
        return late(startResponse)
    if path == "/wait":
        go.wait(60)
        startResponse("200 OK", [])
        return [b"waited"]
    if path == "/write":
        startResponse("200 OK", [])(b"written ")
        return [b"and returned"]
    if path == "/bad":
        startResponse("200 OK", [("X-Bad", "a\r\nb: c")])
        return [b""]
    if path == "/silent":
        return [b""]
    if path == "/errors":
        for number in range(int(environ["QUERY_STRING"] or 1)):
            print("line", number, file=environ["wsgi.errors"])
        environ["wsgi.errors"].write("no end")
    if path == "/stream":
        return Pieces(startResponse)
    startResponse("404 Not Found", [])
    return iter(())


def late(startResponse: StartResponse) -> Iterator[bytes]:
    """
    Fails in the middle.
    """
    startResponse("200 OK", [])
    yield b"begun"
    raise RuntimeError("a bug in the middle")


class Pieces:
    """
    Much, in pieces.
    """

    given: ClassVar[int] = 0
    closed: ClassVar[int] = 0

    def __init__(self, startResponse: StartResponse) -> None:
        type(self).given = 0
        startResponse("200 OK", [])

    def __iter__(self) -> Iterator[bytes]:
        """Each a little different."""
        for number in range(512):
            type(self).given += 1
            yield bytes([number % 256]) * 65536

    def close(self) -> None:
        """Let go."""
        type(self).closed += 1


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """
    Does what the path says.
    """
    if scope["type"] == "lifespan":
        await receive()
        happened.append("startup")
        scope["state"]["began"] = "yes"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        happened.append("shutdown")
        await send({"type": "lifespan.shutdown.complete"})
        return
    path = scope["path"]
    if path == "/fail":
        raise RuntimeError("a bug of the application")
    if path == "/exit":
        raise SystemExit(1)
    if path == "/silent":
        return
    message = await receive()
    if path == "/scope":
        facts = scope["extensions"]["smartproxy.facts"]["facts"]
        told = (scope["method"], scope["query_string"], scope["client"][0], scope["state"], facts.host)
        body = repr(told).encode()
    elif path == "/named":
        body = dict(scope["headers"])[b"x-name"]
    elif path == "/orphan":
        asyncio.get_running_loop().call_soon(orphan)
        body = b"leaves an orphan"
    elif path == "/digest":
        body = hashlib.sha256(message["body"]).hexdigest().encode()
    elif path == "/disconnect":
        happened.append((await receive())["type"])
        return
    elif path == "/wait":
        await asyncio.to_thread(go.wait, 10)
        body = b"waited"
    elif path in ("/forever", "/stubborn"):
        await forever(send, 3 if path == "/stubborn" else 1)
        return
    elif path == "/background":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"all of it"})
        await asyncio.to_thread(go.wait, 10)
        happened.append("done")
        return
    elif path == "/stream":
        await stream(send)
        return
    else:
        body = b""
    status = 200 if body else 404
    await send({"type": "http.response.start", "status": status, "headers": [(b"x-name", b"value")]})
    if path == "/late":
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        raise RuntimeError("a bug in the middle")
    await send({"type": "http.response.body", "body": body})


async def forever(send: Any, times: int) -> None:
    """
    Never answers, and has to be told so often that it ends.
    """
    happened.append("asked")
    for _ in range(times):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            happened.append("cancelled")
            if times == 1:
                raise
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body"})


async def talking(scope: Any, receive: Any, send: Any) -> None:
    """
    Speaks WebSocket, and does with it what the path says; what it meets has happened.
    """
    if scope["type"] == "lifespan":
        await asgi(scope, receive, send)
        return
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"no WebSocket"})
        return
    path = scope["path"][1:]
    happened.append((await receive())["type"])
    try:
        await Talk(scope, receive, send).does(path)
    except (OSError, RuntimeError, ValueError) as why:
        happened.append(f"{path}: {why}")
        raise


class Talk:
    """
    One WebSocket.

    @cvar sent: How many messages were sent in a flood.
    """

    sent: ClassVar[int] = 0

    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send

    async def does(self, path: str) -> None:
        """
        What it says.
        """
        refusing = getattr(self, f"refuses_{path}", None)
        if refusing is not None:
            await refusing()
            return
        offered = self.scope["subprotocols"]
        await self.send(
            {
                "type": "websocket.accept",
                "subprotocol": offered[-1] if offered else None,
                "headers": [(b"x-name", b"value")],
            }
        )
        await getattr(self, path)()

    async def say(self, **message: Any) -> None:
        """
        Send a message.
        """
        await self.send({"type": "websocket.send", **message})

    # Before it has accepted.

    async def refuses_closing(self) -> None:
        """Says no, and has nothing more to say."""
        await self.send({"type": "websocket.close", "code": 4000})
        await self.say(text="never sent")

    async def refuses_answering(self) -> None:
        """Says why."""
        start = {"status": 401, "headers": [(b"www-authenticate", b"Basic")]}
        await self.send({"type": "websocket.http.response.start", **start})
        await self.send({"type": "websocket.http.response.body", "body": b"who ", "more_body": True})
        await self.send({"type": "websocket.http.response.body", "body": b"are you"})

    async def refuses_succeeding(self) -> None:
        """Would be consent over HTTP/2."""
        await self.send({"type": "websocket.http.response.start", "status": 200})

    async def refuses_halfway(self) -> None:
        """Does not end its answer."""
        await self.send({"type": "websocket.http.response.start", "status": 401})
        await self.send({"type": "websocket.http.response.body", "body": b"who", "more_body": True})

    async def refuses_silent(self) -> None:
        """Says nothing."""

    async def refuses_failing(self) -> None:
        """Fails."""
        raise RuntimeError("a bug of the application")

    async def refuses_early(self) -> None:
        """Does not wait."""
        await self.say(text="too early")

    async def refuses_inventing(self) -> None:
        """Chooses what nobody has offered."""
        await self.send({"type": "websocket.accept", "subprotocol": "mine"})

    async def refuses_forging(self) -> None:
        """Writes a part of the handshake."""
        await self.send({"type": "websocket.accept", "headers": [(b"Sec-WebSocket-Accept", b"x")]})

    async def refuses_waiting(self) -> None:
        """Waits for the client to leave."""
        happened.append(await self.receive())

    # After it has accepted.

    async def echo(self) -> None:
        """Says everything again."""
        while (message := await self.receive())["type"] == "websocket.receive":
            await self.say(text=message["text"], bytes=message["bytes"])
        happened.append((message["code"], message["reason"]))

    async def scoped(self) -> None:
        """Says what it knows."""
        scope = self.scope
        facts = scope["extensions"]["smartproxy.facts"]["facts"]
        names = sorted(name.decode() for name, _ in scope["headers"] if b"websocket" not in name)
        told = (scope["type"], scope["scheme"], scope["query_string"], scope["client"][0], scope["state"])
        await self.say(text=repr((*told, "method" in scope, facts.host, names)))
        await self.receive()

    async def returns(self) -> None:
        """Has said all."""
        await self.say(text="bye")

    async def fails(self) -> None:
        """Fails."""
        raise RuntimeError("a bug in the middle")

    async def exits(self) -> None:
        """Wants the end of the process."""
        raise SystemExit(1)

    async def closes(self) -> None:
        """Closes, and says something after that."""
        await self.send({"type": "websocket.close", "code": 4001, "reason": "enough"})
        happened.append((await self.receive())["code"])
        await self.say(text="never sent")

    async def errs(self) -> None:
        """Sends what is none, and goes on."""
        for message in (
            *({}, {"text": "a", "bytes": b"b"}, {"text": None}, {"text": b"a"}, {"text": "\ud800"}),
            {"type": "websocket.close", "code": 1006},
            {"type": "websocket.close", "code": 1000, "reason": "x" * 124},
            {"type": "websocket.accept"},
            {"type": "websocket.http.response.start", "status": 404},
        ):
            try:
                await self.say(**message)
            except (RuntimeError, ValueError) as why:
                happened.append(type(why).__name__)
        await self.say(text="alive")

    async def floods(self) -> None:
        """Says as much as it may."""
        type(self).sent = 0
        while True:
            await self.say(bytes=bytes(65536))
            type(self).sent += 1

    async def deaf(self) -> None:
        """Receives nothing before it is told to."""
        await asyncio.to_thread(go.wait, 10)
        await self.echo()

    async def lingers(self) -> None:
        """Does not ask whether the client is there."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            happened.append("cancelled")
            raise

    async def farewells(self) -> None:
        """Has something to do after the end."""
        await self.send({"type": "websocket.close"})
        await asyncio.to_thread(go.wait, 10)
        await asyncio.sleep(0.2)
        happened.append("done")

    async def stays(self) -> None:
        """Wants more than there is."""
        while True:
            await self.receive()


def orphan() -> None:
    """
    Wants the end of the process, and nobody is above it.
    """
    raise SystemExit(1)


async def stream(send: Any) -> None:
    """
    Much, in pieces.
    """
    Pieces.given = 0
    await send({"type": "http.response.start", "status": 200})
    for number in range(512):
        Pieces.given += 1
        await send({"type": "http.response.body", "body": bytes([number % 256]) * 65536, "more_body": True})
    await send({"type": "http.response.body"})


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """
    Has no use for a lifespan.
    """
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"bare"})


async def failing(scope: Any, receive: Any, send: Any) -> None:
    """
    Does not start.
    """
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


class Loud:
    """
    An application that is made from arguments.
    """

    def __init__(self, text: str, times: int = 1) -> None:
        if times < 0:
            raise ValueError("times is below zero")
        self.body = (text * times).encode()

    def __call__(self, environ: dict[str, Any], startResponse: StartResponse) -> Iterable[bytes]:
        """Say it."""
        startResponse("200 OK", [])
        return [self.body]


loud = Loud("loud")


class Page(Resource):
    """
    The root of some pages.
    """

    def getChild(self, path: bytes, request: Any) -> Resource:
        """By name."""
        return Leaf(path)


class Leaf(Resource):
    """
    Does what its name says.
    """

    isLeaf = True

    def __init__(self, name: bytes) -> None:
        super().__init__()
        self.name = name

    def render_GET(self, request: Any) -> Any:
        """Answer."""
        if self.name == b"later":
            request.write(b"now, ")
            happened.append(request)
            request.notifyFinish().addBoth(happened.append)
            return NOT_DONE_YET
        if self.name == b"fail":
            raise RuntimeError("a bug of the resource")
        if self.name == b"exit":
            raise SystemExit(1)
        if self.name == b"late":
            request.notifyFinish().addErrback(lambda _: happened.append("told"))
            request.write(b"begun")
            raise RuntimeError("a bug in the middle")
        if self.name == b"says":
            request.setHeader(b"X-Secret", b"1")
            request.setLastModified(1)
            request.processingFailed(Failure(RuntimeError("it says so itself")))
            return NOT_DONE_YET
        if self.name == b"pull":
            request.registerProducer(Puller(request), False)
            return NOT_DONE_YET
        if self.name == b"named":
            found: bytes = request.getHeader(b"x-name")
            return found
        if self.name == b"session":
            return request.getSession().uid
        if self.name == b"facts":
            facts = request.facts
            return repr(
                (facts.host, request.getClientAddress().host, request.isSecure(), request.args)
            ).encode()
        return b"page " + self.name

    def render_POST(self, request: Any) -> bytes:
        """A checksum of the body."""
        return hashlib.sha256(request.content.read()).hexdigest().encode()


class Puller:
    """
    Much, in pieces that are asked for.
    """

    def __init__(self, request: Any) -> None:
        self._request = request
        Pieces.given = 0

    def resumeProducing(self) -> None:
        """One more."""
        self._request.write(bytes([Pieces.given % 256]) * 65536)
        Pieces.given += 1
        if Pieces.given == 512:
            self._request.unregisterProducer()
            self._request.finish()

    def stopProducing(self) -> None:
        """No more."""
        happened.append("stopped")


page = Page()
factory = Factory.forProtocol(Protocol)
number = 5
