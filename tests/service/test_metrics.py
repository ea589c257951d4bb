"""
Tests for L{smartproxy_tw.service.metrics}: how Prometheus is told.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smartproxy_tw.config.model import (
    TLS,
    AccessLog,
    Admin,
    Config,
    Internal,
    Metrics,
    Respond,
    Route,
    Timeouts,
)
from smartproxy_tw.facts import Address
from smartproxy_tw.service.desk import Desk, Reply
from smartproxy_tw.service.metrics import Metrics as Telling
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.testing.fakes import FakePlane, Story

from ..ports import freePorts
from .test_exposition import numbers

reactor: Any = _reactor


class CountedTests(SynchronousTestCase):
    """
    L{Metrics<smartproxy_tw.service.metrics.Metrics>} with a data path that takes its
    time.
    """

    def test_together(self) -> None:
        """
        Those who ask at the same time have the same answer, one who has left does not
        matter, and the next one has a new answer; a data path that fails is a defect of
        that one answer.
        """
        asked: list[Deferred[dict[str, int]]] = []

        class Slow(FakePlane):
            def tally(self) -> Deferred[dict[str, int]]:
                asked.append(Deferred())
                return asked[-1]

        desk = Desk()
        config = Config((), "/nowhere")
        Telling(lambda: config, Slow(Story()), lambda: iter(())).begin(desk)

        def ask() -> Deferred[Reply]:
            return Deferred.fromCoroutine(desk.answer("GET", "/metrics", {}, b"", "somebody"))

        first, leaving, third = ask(), ask(), ask()
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        self.assertEqual(len(asked), 1)
        asked[0].callback({"connections": 7})
        for each in (first, third):
            reply = self.successResultOf(each)
            assert reply.text is not None
            self.assertEqual(numbers("".join(reply.text))["smartproxy_connections_total", ()], 7)
        fourth = ask()
        self.assertEqual(len(asked), 2)
        asked[1].errback(RuntimeError("a bug"))
        self.assertEqual(self.successResultOf(fourth).status, 500)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class MetricsTests(TestCase):
    """
    A whole proxy that tells its figures.
    """

    timeout = 300

    def setUp(self) -> None:
        self.port, self.listen = freePorts(2)
        self.state = os.path.abspath(self.mktemp())
        tls = TLS("terminate", Internal(("a.test",)))
        self.config = Config(
            (
                Route("plain", (self.port,), Respond(body="hello"), "http"),
                Route("secret", (self.port,), Respond(), "http", ("a.test",), tls=tls),
            ),
            self.state,
            bind=("127.0.0.1",),
            accessLog=AccessLog("off"),
            timeouts=Timeouts(drain=1.0),
            metrics=Metrics(Address("127.0.0.1", self.listen)),
        )
        self.logged: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    async def begin(self, config: Config) -> SmartProxy:
        """
        A proxy that is ready.
        """
        proxy = SmartProxy(config, reactor)
        self.addCleanup(proxy.stopService)
        proxy.startService()
        await proxy.whenReady()
        return proxy

    def asked(self, port: int, path: str, verb: str = "GET") -> Deferred[tuple[int, str, str]]:
        """
        The status, the type and the body of an answer.
        """
        from http.client import HTTPConnection

        def ask() -> tuple[int, str, str]:
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request(verb, path)
            answer = connection.getresponse()
            try:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
            finally:
                connection.close()

        return deferToThread(ask)

    async def _told(self) -> None:
        proxy = await self.begin(self.config)
        await self.asked(self.port, "/")
        status, kind, text = await self.asked(self.listen, "/metrics")
        self.assertEqual((status, kind), (200, "text/plain; version=0.0.4; charset=utf-8"))
        told = numbers(text)
        self.assertEqual(told["smartproxy_requests_total", (("code", "200"), ("route", "plain"))], 1)
        self.assertEqual(told["smartproxy_sent_bytes_total", (("route", "plain"),)], 5)
        self.assertEqual(
            told["smartproxy_certificate_state", (("certificate", "internal:a.test"), ("state", "valid"))], 1
        )
        self.assertGreater(told["process_resident_memory_bytes", ()], 1 << 20)
        for path in ("/v1", "/v1/certificates", "/"):
            self.assertEqual((await self.asked(self.listen, path))[0], 404, path)
        self.assertEqual((await self.asked(self.listen, "/metrics", "POST"))[0], 405)
        self.assertEqual((await self.asked(self.listen, "/metrics?x=1"))[0], 400)
        self.assertFalse(os.path.exists(os.path.join(self.state, "admin.sock")))
        await proxy.stopService()
        await self.assertFailure(self.asked(self.listen, "/metrics"), ConnectionRefusedError)

    def test_told(self) -> Deferred[None]:
        """
        The port tells the figures and nothing else, and goes with the proxy.
        """
        return Deferred.fromCoroutine(self._told())

    async def _taken(self) -> None:
        metrics = Metrics(Address("127.0.0.1", self.port))
        await self.begin(replace(self.config, metrics=metrics))
        (logged,) = [each for each in self.logged if each.get("event") == "metrics-refused"]
        self.assertIn("Address already in use", logged["why"])
        self.assertEqual((await self.asked(self.port, "/"))[2], "hello")

    def test_taken(self) -> Deferred[None]:
        """
        A port that somebody has costs no request: the log says so.
        """
        return Deferred.fromCoroutine(self._taken())

    async def _admin(self) -> None:
        socket = os.path.join(self.state, "admin.sock")
        await self.begin(replace(self.config, admin=Admin(socket), metrics=None))
        from smartproxy_tw.commands.admin import _Connection

        def ask() -> str:
            connection = _Connection(socket, 30)
            connection.request("GET", "/metrics")
            try:
                return connection.getresponse().read().decode()
            finally:
                connection.close()

        told = numbers(await deferToThread(ask))
        self.assertEqual(told["smartproxy_connections_total", ()], 0)
        await self.assertFailure(self.asked(self.listen, "/metrics"), ConnectionRefusedError)

    def test_admin(self) -> Deferred[None]:
        """
        The admin socket has them in any case.
        """
        return Deferred.fromCoroutine(self._admin())
