"""
WebSockets of the library C{websockets} for tests that are written one line after the other::

    with chatting("wss://a.test:8443/chat", ssl=context) as chat:
        chat.send("hello")
        assert chat.recv() == "hello"

The library has a client of this kind itself, one of whose threads reads while another one
writes.  With TLS in Python before 3.13 that goes wrong once in a few hundred times, when the
tickets of TLS 1.3 are read in the moment in which the request is written: OpenSSL takes the
connection for one whose handshake goes on, waits for more of it, and the request stays where
it is.  So here it is the library's client for asyncio that speaks.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from .running import PATIENCE

__all__ = ["Chat", "chatting"]


class Chat:
    """
    One WebSocket.

    @ivar subprotocol: Which one was agreed on.
    @ivar extensions: Which ones were.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: ClientConnection) -> None:
        self._loop = loop
        self._connection = connection
        self.subprotocol = connection.subprotocol
        self.extensions = connection.protocol.extensions

    def send(self, message: str | bytes | Iterable[str]) -> None:
        """
        Say something, in pieces if it is several.
        """
        _wait(self._loop, self._connection.send(message))

    def recv(self) -> Any:
        """
        Hear what is said next.

        @raise websockets.exceptions.ConnectionClosed: Nothing is said any more.
        @raise TimeoutError: It takes longer than L{PATIENCE}.
        """
        return _wait(self._loop, self._connection.recv())

    def ping(self) -> None:
        """
        Ask whether the other side is there, and wait until it says so.
        """

        async def asks() -> None:
            await (await self._connection.ping())

        _wait(self._loop, asks())


@contextmanager
def chatting(url: str, **options: Any) -> Iterator[Chat]:
    """
    A WebSocket, which is closed at the end.

    @param options: As of C{websockets.asyncio.client.connect}.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def opened() -> ClientConnection:
        return await connect(url, open_timeout=PATIENCE, **options)

    try:
        connection = _wait(loop, opened())
        try:
            yield Chat(loop, connection)
        finally:
            _wait(loop, connection.close())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _wait(loop: asyncio.AbstractEventLoop, doing: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run_coroutine_threadsafe(asyncio.wait_for(doing, PATIENCE), loop).result()
