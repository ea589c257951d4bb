"""
How others read HTTP/1: llhttp (by httptools), h11 and twisted.web.

Each oracle takes everything that was sent on one connection and says which
messages it makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import h11
import httptools
from twisted.internet.testing import StringTransport
from twisted.web.http import HTTPChannel
from twisted.web.http import Request as WebRequest

__all__ = ["Message", "byH11", "byLLHTTP", "byTwisted", "responseByH11", "responseByLLHTTP"]


@dataclass
class Message:
    """
    One message as somebody read it.

    @ivar start: Method and target, or the status.
    @ivar fields: Names in lower case, values stripped.
    @ivar isDone: Whether its end was seen.
    """

    start: tuple[bytes, ...]
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    isDone: bool = False

    def values(self, name: bytes) -> list[bytes]:
        """
        All values of a field.
        """
        return [value for each, value in self.fields if each == name]


class _Recorder:
    """
    What httptools calls back.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.target = b""

    def on_message_begin(self) -> None:
        self.messages.append(Message(()))
        self.target = b""

    def on_url(self, data: bytes) -> None:
        self.target += data

    def on_header(self, name: bytes, value: bytes) -> None:
        # Those after the body are trailers.
        if not self.messages[-1].start:
            self.messages[-1].fields.append((name.lower(), value.strip(b"\t ")))

    def on_headers_complete(self) -> None:
        self.messages[-1].start = self.start()

    def on_body(self, data: bytes) -> None:
        self.messages[-1].body += data

    def on_message_complete(self) -> None:
        self.messages[-1].isDone = True

    def start(self) -> tuple[bytes, ...]:
        """
        Method and target, or the status.
        """
        parser = self.parser
        if isinstance(parser, httptools.HttpRequestParser):
            return (parser.get_method(), self.target)
        return (str(parser.get_status_code()).encode(),)

    parser: Any = None


def byLLHTTP(data: bytes) -> list[Message] | None:
    """
    @return: The requests; L{None} when it refuses them.
    """
    recorder = _Recorder()
    recorder.parser = httptools.HttpRequestParser(recorder)
    try:
        recorder.parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        return None
    return recorder.messages


def responseByLLHTTP(data: bytes) -> list[Message] | None:
    """
    @return: The responses; L{None} when it refuses them.
    """
    recorder = _Recorder()
    recorder.parser = httptools.HttpResponseParser(recorder)
    try:
        recorder.parser.feed_data(data)
    except httptools.HttpParserError:
        return None
    return recorder.messages


def _drain(connection: h11.Connection, message: Message) -> bytes | None:
    """
    Read one message to its end.

    @return: What follows it; L{None} where it is not complete.
    """
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Data):
            message.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            message.isDone = True
            return bytes(connection.trailing_data[0])
        elif event in (h11.NEED_DATA, h11.PAUSED):
            return None


def byH11(data: bytes) -> list[Message] | None:
    """
    @return: The requests; L{None} when it refuses them.
    """
    messages = []
    rest: bytes | None = data
    while rest:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        try:
            connection.receive_data(rest)
            event = connection.next_event()
            if not isinstance(event, h11.Request):
                break
            message = Message((bytes(event.method), bytes(event.target)))
            message.fields = [(bytes(name), bytes(value)) for name, value in event.headers]
            messages.append(message)
            rest = _drain(connection, message)
        except h11.RemoteProtocolError:
            return None
    return messages


def responseByH11(data: bytes, method: bytes) -> Message | None:
    """
    @return: The response, by what comes before the connection is closed;
        L{None} when it is refused.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method=method, target=b"/", headers=[(b"Host", b"a")]))
    connection.send(h11.EndOfMessage())
    try:
        connection.receive_data(data)
        connection.receive_data(b"")
        event = connection.next_event()
        if not isinstance(event, h11.Response):
            return None
        message = Message((str(event.status_code).encode(),))
        message.fields = [(bytes(name), bytes(value)) for name, value in event.headers]
        _drain(connection, message)
    except h11.RemoteProtocolError:
        return None
    return message


def byTwisted(data: bytes) -> list[Message] | None:
    """
    @return: The requests that twisted.web hands to its resources; L{None} when
        it answers with 400.
    """
    messages: list[Message] = []

    class Recorded(WebRequest):
        def process(self) -> None:
            message = Message((self.method, self.uri), isDone=True)
            for name, values in self.requestHeaders.getAllRawHeaders():
                message.fields += [(name.lower(), value) for value in values]
            message.body = self.content.read()
            messages.append(message)
            self.finish()

    channel = HTTPChannel()
    channel.requestFactory = Recorded
    channel.callLater = lambda *args, **kwargs: None  # type: ignore[assignment, misc]
    transport = StringTransport()
    channel.makeConnection(transport)
    channel.dataReceived(data)
    if b"HTTP/1.1 400" in transport.value():
        return None
    return messages
