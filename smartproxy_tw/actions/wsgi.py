"""
Answers from a WSGI application (PEP 3333), in threads of its own.

So many requests as there are threads are answered at a time, some more wait, and the others are refused:
an application that hangs costs its own routes and nothing else.  A thread that writes to a client
waits until the client takes it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from ..plane.faults import Faults
from .asked import BUSY, Asked, answerLines, ask
from .complaints import Complaints, ErrorStream
from .delivery import Delivery

if TYPE_CHECKING:
    from ..config.application import Application
    from ..interfaces import IExchange

__all__ = ["WSGIApplication", "environment"]

#: A longer body is in a file while the application has it, in bytes.
_IN_MEMORY = 1 << 20


class _Gone(Exception):
    """
    The client has left: nobody waits for the rest.
    """


class _Thread(threading.Thread):
    """
    One that does not keep the process from ending when the application hangs.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named, daemon=True)


class _Pool(ThreadPool):
    threadFactory = _Thread


class WSGIApplication:
    """
    One application and its threads.
    """

    def __init__(
        self, settings: Application, application: Callable[..., Iterable[bytes]], reactor: Any
    ) -> None:
        """
        @param settings: Whose threads, queue and body_bytes count.
        @param application: What was imported.
        @param reactor: Is told from other threads.
        """
        self._settings = settings
        self._application = application
        self._reactor = reactor
        self._pool = _Pool(0, settings.threads, settings.factory)
        self._busy = 0
        self._faults = Faults(reactor.callLater)
        self._complaints = Complaints(reactor, settings.factory)

    def begin(self) -> None:
        """
        Be ready to answer.
        """
        self._pool.start()

    def close(self) -> Deferred[None]:
        """
        Answer what has been asked, and nothing more.  Nobody waits for it: it may hang.
        """
        self._digested()
        if self._pool.started:
            threading.Thread(target=self._end, daemon=True).start()
        return succeed(None)

    def _end(self) -> None:
        """
        In a thread.
        """
        self._pool.stop()
        # What has failed meanwhile.
        self._reactor.callFromThread(self._digested)

    def _digested(self) -> None:
        self._faults.close()
        self._complaints.close()

    def request(self, exchange: IExchange) -> None:
        """
        Answer a request.
        """
        ask(exchange, self._settings.bodyBytes, self._isBusy, self._asked)

    def _isBusy(self) -> bool:
        return self._busy >= self._settings.threads + self._settings.queue

    def _asked(self, asked: Asked) -> None:
        if self._pool.joined:
            # It has gone while the body came.
            asked.exchange.respond(*BUSY)
            return
        self._busy += 1
        delivery = Delivery(asked.exchange)
        self._pool.callInThread(self._answer, asked, delivery)

    def _answer(self, asked: Asked, delivery: Delivery) -> None:
        """
        In a thread.
        """
        try:
            if not delivery.isOver:
                _Run(self._reactor, asked, delivery, ErrorStream(self._complaints)).run(self._application)
        except _Gone:
            pass
        except (Exception, SystemExit):
            self._reactor.callFromThread(self._failed, Failure(), delivery)  # type: ignore[no-untyped-call]
        finally:
            self._reactor.callFromThread(self._answered)

    def _failed(self, failure: Failure, delivery: Delivery) -> None:
        self._faults.add(failure, "WSGI application {name} failed", name=self._settings.factory)
        delivery.fail()

    def _answered(self) -> None:
        self._busy -= 1


class _Run:
    """
    One request, in a thread.
    """

    def __init__(self, reactor: Any, asked: Asked, delivery: Delivery, errors: ErrorStream) -> None:
        self._reactor = reactor
        self._errors = errors
        self._asked = asked
        self._delivery = delivery
        self._head: tuple[int, bytes, int | None] | None = None
        self._hasBegun = False
        self._isHead = asked.facts.method == "HEAD"

    def run(self, application: Callable[..., Iterable[bytes]]) -> None:
        """
        Have the application answer.
        """
        with SpooledTemporaryFile(_IN_MEMORY) as content:
            content.write(self._asked.body)
            content.seek(0)
            try:
                pieces = application(environment(self._asked, content, self._errors), self._startResponse)
                try:
                    self._deliver(pieces)
                finally:
                    close = getattr(pieces, "close", None)
                    if close is not None:
                        close()
            finally:
                self._errors.flush()

    def _deliver(self, pieces: Iterable[bytes]) -> None:
        if not self._hasBegun and isinstance(pieces, (list, tuple)):
            # The common case: it is all there.
            status, fields, length = self._begun()
            body = b"".join(pieces)
            self._reactor.callFromThread(self._delivery.respond, status, fields, length, body, self._isHead)
            return
        for piece in pieces:
            if piece:
                self._write(piece)
        if not self._hasBegun:
            self._reactor.callFromThread(self._delivery.respond, *self._begun(), b"", self._isHead)
        else:
            self._reactor.callFromThread(self._delivery.finish)

    def _begun(self) -> tuple[int, bytes, int | None]:
        if self._head is None:
            raise RuntimeError("the application gave a body before it has called start_response")
        return self._head

    def _startResponse(
        self, status: str, headers: list[tuple[str, str]], reason: Any = None
    ) -> Callable[[bytes], None]:
        """
        PEP 3333, C{start_response}.
        """
        if reason is not None:
            try:
                if self._hasBegun:
                    raise reason[1].with_traceback(reason[2])
            finally:
                reason = None
        elif self._head is not None:
            raise RuntimeError("start_response was called twice")
        code = int(status[:3])
        if not 200 <= code <= 599:
            raise ValueError(f"{status!r} is no status of an answer")
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._head = (code, *answerLines(pairs))
        return self._write

    def _write(self, data: bytes) -> None:
        """
        Have a piece taken, or at least there be room for the next one.
        """
        head = None if self._hasBegun else self._begun()
        self._hasBegun = True
        if self._delivery.isOver:
            raise _Gone
        taken = threading.Event()
        self._reactor.callFromThread(self._delivery.piece, head, data, taken.set)
        taken.wait()
        if self._delivery.isOver:
            raise _Gone


def environment(asked: Asked, content: Any, errors: ErrorStream) -> dict[str, Any]:
    """
    @param content: The body, to be read.
    @param errors: What the application complains to.
    @return: The environ of PEP 3333; C{smartproxy.facts} has what the proxy knows of the request.
    """
    facts = asked.facts
    made: dict[str, Any] = {
        "REQUEST_METHOD": facts.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(facts.path).decode("latin-1"),
        "QUERY_STRING": facts.query,
        "RAW_URI": facts.path + ("?" + facts.query if facts.query else ""),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": asked.server[0],
        "SERVER_PORT": str(asked.server[1]),
        "REMOTE_ADDR": asked.client.host,
        "REMOTE_PORT": str(asked.client.port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": asked.scheme,
        "wsgi.input": content,
        "wsgi.input_terminated": True,
        "wsgi.errors": errors,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "smartproxy.facts": facts,
    }
    if asked.scheme == "https":
        made["HTTPS"] = "on"
    for name, value in asked.fields:
        if "_" in name:
            # Nobody could tell it from the same name with hyphens.
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        # PEP 3333: texts that stand for bytes.
        value = value.encode("utf-8").decode("latin-1")
        separator = "; " if name == "cookie" else ","
        made[key] = f"{made[key]}{separator}{value}" if key in made else value
    return made
