"""
Tests for L{smartproxy_tw.service.overview}: a whole proxy that is asked how it stands,
and whose every answer is held against the description of the API.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

import smartproxy_tw
from smartproxy_tw.commands.admin import Answer, ProxyAway, asking
from smartproxy_tw.config.model import (
    TLS,
    AccessLog,
    Admin,
    Conditions,
    Config,
    Internal,
    Respond,
    Route,
    Timeouts,
)
from smartproxy_tw.facts import Address, WorkerFacts
from smartproxy_tw.interfaces import IWorkers
from smartproxy_tw.service.desk import Desk, Reply
from smartproxy_tw.service.errors import ChangeRefused
from smartproxy_tw.service.eventlog import Verbosity
from smartproxy_tw.service.farewell import Farewell
from smartproxy_tw.service.milestones import Milestones
from smartproxy_tw.service.openapi import description
from smartproxy_tw.service.overview import Overview
from smartproxy_tw.service.status import CertificateStatus
from smartproxy_tw.service.tree import SmartProxy

from ..ports import freePorts
from .schemas import objections

reactor: Any = _reactor
TOKEN = "0123456789abcdef" * 2


class RunningTests(TestCase):
    """
    Asked as the commands do it, and by TCP.
    """

    timeout = 300

    def setUp(self) -> None:
        self.port, self.adminPort = freePorts(2)
        state = os.path.abspath(self.mktemp())
        os.mkdir(state, 0o700)
        self.socket = os.path.join(state, "admin.sock")
        self.tokenFile = os.path.join(state, "token")
        with open(self.tokenFile, "w", encoding="ascii") as file:
            file.write(TOKEN + "\n")
        self.config = Config(
            (
                Route(
                    "only",
                    (self.port,),
                    Respond(),
                    "http",
                    ("a.test",),
                    tls=TLS("terminate", Internal(("a.test",))),
                    line=3,
                ),
                Route("other", (self.port,), Respond(), "http", ("b.test",)),
            ),
            state,
            bind=("127.0.0.1",),
            accessLog=AccessLog("off"),
            timeouts=Timeouts(drain=1.0),
            admin=Admin(self.socket, Address("127.0.0.1", self.adminPort), tokenFile=self.tokenFile),
            source="/etc/s.yaml",
        )
        self.logged: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    async def begin(self, **more: Any) -> SmartProxy:
        """
        A proxy that is ready.
        """
        proxy = SmartProxy(self.config, reactor, **more)
        self.addCleanup(proxy.stopService)
        proxy.startService()
        await proxy.whenReady()
        return proxy

    def ask(self, verb: str, target: str, /, **members: Any) -> Deferred[Answer]:
        """
        Ask by the socket.
        """
        return deferToThread(asking(self.socket), verb, target, members)

    def call(
        self, verb: str, target: str, body: str | None = None, **fields: str
    ) -> Deferred[tuple[int, Any]]:
        """
        Ask by TCP.
        """

        def asked() -> tuple[int, Any]:
            connection = http.client.HTTPConnection("127.0.0.1", self.adminPort, timeout=60)
            named = {name.replace("_", "-"): value for name, value in fields.items()}
            connection.request(verb, target, body, named)
            answer = connection.getresponse()
            try:
                return answer.status, json.loads(answer.read())
            finally:
                connection.close()

        return deferToThread(asked)

    async def _described(self) -> None:
        await self.begin(verbosity=Verbosity())
        whole = (await self.ask("GET", "/openapi.json")).members
        self.assertEqual(whole, json.loads(json.dumps(description())))
        questions = (await self.ask("GET", "/v1")).members["questions"]
        told = [f"{verb.upper()} {path}" for path, some in whole["paths"].items() for verb in some]
        self.assertEqual(sorted(questions), sorted(told))
        url = f"https://a.test:{self.port}/"
        for verb, path, members, status in (
            ("GET", "/v1", {}, 200),
            ("GET", "/v1/status", {}, 200),
            ("GET", "/v1/routes", {}, 200),
            ("GET", "/v1/explain", {"url": url}, 200),
            ("GET", "/v1/explain", {"url": "http://c.test:1/"}, 200),
            ("GET", "/v1/explain", {"url": "nonsense"}, 400),
            ("GET", "/v1/explain", {}, 400),
            ("GET", "/v1/explain", {"url": url, "tls_version": "1.1"}, 400),
            ("GET", "/v1/explain", {"url": url, "client": "x"}, 400),
            ("GET", "/v1/explain", {"url": url, "method": "PUT", "header": "A: b", "client": "::1"}, 200),
            ("GET", "/v1/connections", {}, 200),
            ("GET", "/v1/upstreams", {}, 200),
            ("GET", "/v1/upstreams", {"route": "only"}, 200),
            ("GET", "/v1/upstreams", {"other": "x"}, 400),
            ("POST", "/v1/upstreams/drain", {"target": "nobody:1"}, 404),
            ("POST", "/v1/upstreams/restore", {"target": "nobody:1"}, 409),
            ("GET", "/v1/certificates", {}, 200),
            ("POST", "/v1/certificates/renew", {"names": ["a.test"]}, 409),
            ("POST", "/v1/certificates/renew", {"all": True}, 202),
            ("POST", "/v1/certificates/revoke", {"names": ["a.test"], "reason": "superseded"}, 409),
            ("POST", "/v1/certificates/revoke", {}, 400),
            ("POST", "/v1/certificates/preflight", {"names": ["a.test"]}, 404),
            ("GET", "/v1/accounts", {}, 200),
            ("POST", "/v1/accounts/rollover", {}, 409),
            ("POST", "/v1/accounts/deactivate", {"authority": "nobody"}, 404),
            ("GET", "/v1/log-level", {}, 200),
            ("PUT", "/v1/log-level", {"level": "debug"}, 200),
            ("PUT", "/v1/log-level", {"level": "loud"}, 400),
            ("GET", "/openapi.json", {}, 200),
            ("POST", "/v1/reload", {"dry_run": True}, 422),
            ("POST", "/v1/reload", {"dry_run": 7}, 400),
            ("POST", "/v1/upgrade", {}, 409),
            ("POST", "/v1/drain", {"delay": 3000}, 202),
        ):
            answer = await self.ask(verb, path, **members)
            self.assertEqual(answer.status, status, path)
            responses = whole["paths"][path][verb.lower()]["responses"]
            if status < 400:
                self.assertIn(str(status), responses)
            schema = responses.get(str(status), responses["default"])["content"]["application/json"]["schema"]
            self.assertEqual(objections(schema, answer.members, whole), [], f"{verb} {path}")

    async def _reloading(self) -> None:
        proxy = await self.begin()
        assert proxy.certificates is not None
        before = (await self.ask("GET", "/v1/status")).members["configuration"]
        preparing: Deferred[Any] = Deferred()
        proxy.certificates.prepare = lambda _: preparing  # type: ignore[method-assign]
        (port,) = freePorts(1)
        changing = proxy.addRoute(Route("new", (port,), Respond(), "http"))
        told = (await self.ask("GET", "/v1/status")).members
        self.assertIn({"address": "127.0.0.1", "port": port, "adopted": False}, told["listening"])
        self.assertEqual((told["ready"], told["reason"]), (True, None))
        preparing.errback(ValueError("no"))
        await self.assertFailure(changing, ChangeRefused)
        del proxy.certificates.prepare
        await proxy.addRoute(Route("new", (port,), Respond(), "http"))
        told = (await self.ask("GET", "/v1/status")).members
        self.assertIn({"address": "127.0.0.1", "port": port, "adopted": True}, told["listening"])
        self.assertEqual(told["configuration"]["routes"], before["routes"] + 1)
        self.assertLess(told["configuration"]["age"], told["uptime"])

    def test_reloading(self) -> Deferred[None]:
        """
        While another configuration is prepared the proxy is as ready as before; then it
        goes by that, since just now.
        """
        return Deferred.fromCoroutine(self._reloading())

    def test_described(self) -> Deferred[None]:
        """
        All that can be asked is described, nothing else is, and every answer is as the
        description says.
        """
        return Deferred.fromCoroutine(self._described())

    async def _status(self) -> None:
        await self.begin()
        found = (await self.ask("GET", "/v1/status")).members
        self.assertEqual(
            {name: found[name] for name in ("version", "process", "ready", "reason", "workers", "listening")},
            {
                "version": smartproxy_tw.__version__,
                "process": os.getpid(),
                "ready": True,
                "reason": None,
                "workers": [{"number": 1, "process": os.getpid(), "state": "serving"}],
                "listening": [{"address": "127.0.0.1", "port": self.port, "adopted": True}],
            },
        )
        self.assertEqual(found["configuration"]["source"], "/etc/s.yaml")
        self.assertEqual(found["configuration"]["routes"], 2)
        self.assertLess(found["uptime"], 60)
        certificates = found["certificates"]
        self.assertEqual((certificates["wanted"], certificates["valid"], certificates["failing"]), (1, 1, 0))
        client = socket.create_connection(("127.0.0.1", self.port))
        self.addCleanup(client.close)
        client.sendall(b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n")
        self.assertIn(b"200", await deferToThread(client.recv, 100))
        figures = (await self.ask("GET", "/v1/connections")).members
        self.assertEqual((figures["open"], figures["counts"]["requests"]), (1, 1))
        self.assertEqual(figures["limit"], self.config.limits.connections)
        (route,) = figures["routes"]
        self.assertEqual((route["route"], route["requests"], route["failed"]), ("other", 1, 0))

    def test_status(self) -> Deferred[None]:
        """
        At a glance: what is bound and served, by whom, and how it stands.
        """
        return Deferred.fromCoroutine(self._status())

    async def _explained(self) -> None:
        await self.begin()
        names = [each["name"] for each in (await self.ask("GET", "/v1/routes")).members["routes"]]
        self.assertEqual(names, ["only", "other"])
        found = (await self.ask("GET", "/v1/explain", url=f"https://a.test:{self.port}/x")).members
        self.assertEqual((found["route"], found["line"], found["miss"]), ("only", 3, None))
        self.assertEqual(found["verdicts"][0], {"route": "only", "line": 3, "reason": None})
        self.assertEqual(found["verdicts"][1]["reason"], "tls: it takes plain connections only")
        self.assertEqual(found["deeds"][-1], {"what": "action", "text": "respond with 200 and 0 bytes"})

    def test_explained(self) -> Deferred[None]:
        """
        The routes, and which of them takes a URL, as C{smartproxy explain} has it.
        """
        return Deferred.fromCoroutine(self._explained())

    async def _circumstances(self) -> None:
        only = self.config.routes[0]
        asked = Conditions((("a", ("b",)), ("c", ("d",))), (), ("PUT",), ("10.0.0.0/8",), ("1.2",))
        picky = replace(only, name="picky", path="/picky", conditions=asked)
        self.config = replace(self.config, routes=(*self.config.routes, picky))
        await self.begin()
        told: dict[str, Any] = {
            "method": "PUT",
            "header": ["A: b", "C: d"],
            "client": "10.0.0.7",
            "tls_version": "1.2",
        }
        url = f"https://a.test:{self.port}/picky"
        self.assertEqual((await self.ask("GET", "/v1/explain", url=url, **told)).members["route"], "picky")
        for name in told:
            less = {each: value for each, value in told.items() if each != name}
            self.assertEqual((await self.ask("GET", "/v1/explain", url=url, **less)).members["route"], "only")

    def test_circumstances(self) -> Deferred[None]:
        """
        What a URL does not tell is told beside it, each of which counts.
        """
        return Deferred.fromCoroutine(self._circumstances())

    async def _port(self) -> None:
        await self.begin()
        friend = {"Authorization": f"Bearer {TOKEN}"}
        self.assertEqual((await self.call("GET", "/v1/status", **friend))[1]["process"], os.getpid())
        for fields, status in (
            ({}, 401),
            ({"Authorization": "Bearer nonsense"}, 401),
            ({**friend, "Host": "evil.example"}, 403),
            ({**friend, "Origin": "http://evil.example"}, 403),
        ):
            for target in ("/v1/status", "/openapi.json", "/nothing"):
                self.assertEqual((await self.call("GET", target, **fields))[0], status, fields)
        body = '{"level": "debug"}'
        form = {**friend, "Content_Type": "text/plain"}
        self.assertEqual((await self.call("PUT", "/v1/log-level", body, **form))[0], 415)
        ofJSON = {**friend, "Content_Type": "application/json"}
        self.assertEqual((await self.call("PUT", "/v1/log-level", body, **ofJSON))[0], 409)
        strangers = [each for each in self.logged if each.get("event") == "admin-stranger"]
        self.assertEqual(len(strangers), 1, "told once in a while")
        self.assertIn("127.0.0.1 (by TCP)", strangers[0]["asker"])
        self.assertNotIn(TOKEN, repr(self.logged))
        self.assertNotIn("nonsense", repr(strangers))

    def test_port(self) -> Deferred[None]:
        """
        By TCP only who has the token is answered, and no web page; the token is in no
        log.
        """
        return Deferred.fromCoroutine(self._port())

    async def _tokenInPlace(self) -> None:
        other = TOKEN[::-1] + "-of-the-file"
        admin = Admin(self.socket, Address("127.0.0.1", self.adminPort), token=other)
        self.config = replace(self.config, admin=admin)
        await self.begin()
        for token, status in ((other, 200), (TOKEN, 401)):
            fields = {"Host": f"127.0.0.1:{self.adminPort}", "Authorization": f"Bearer {token}"}
            self.assertEqual((await self.call("GET", "/v1/status", **fields))[0], status)

    def test_tokenInPlace(self) -> Deferred[None]:
        """
        The token may be in the configuration itself.
        """
        return Deferred.fromCoroutine(self._tokenInPlace())

    async def _portTaken(self) -> None:
        taken = socket.create_server(("127.0.0.1", self.adminPort))
        self.addCleanup(taken.close)
        await self.begin()
        (told,) = [each for each in self.logged if each.get("event") == "admin-refused"]
        self.assertEqual(told["address"], Address("127.0.0.1", self.adminPort))
        self.assertTrue((await self.ask("GET", "/v1/status")).members["ready"])

    def test_portTaken(self) -> Deferred[None]:
        """
        A port that is taken is an error in the log, and the socket is there.
        """
        return Deferred.fromCoroutine(self._portTaken())

    async def _badToken(self) -> None:
        with open(self.tokenFile, "w", encoding="ascii") as file:
            file.write("short-secret\n")
        await self.begin()
        (told,) = [each for each in self.logged if each.get("event") == "admin-refused"]
        self.assertIn(f"{self.tokenFile} has a token that cannot be used", told["why"])
        self.assertNotIn("short-secret", repr(self.logged))
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", self.adminPort))

    def test_badToken(self) -> Deferred[None]:
        """
        Without a token that can be used there is no port.
        """
        return Deferred.fromCoroutine(self._badToken())

    async def _drained(self) -> None:
        over: Deferred[None] = Deferred()
        proxy = await self.begin(leave=lambda: proxy.stopService().chainDeferred(over))
        found = (await self.ask("POST", "/v1/drain", delay=0.5)).members
        self.assertEqual(found, {"draining": True, "delay": 0.5, "within": 1.0})
        told = (await self.ask("GET", "/v1/status")).members
        self.assertEqual(
            (told["ready"], told["reason"]), (False, "it was asked to finish what it has, and to end")
        )
        socket.create_connection(("127.0.0.1", self.port)).close()
        await over
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", self.port))
        await self.assertFailure(self.ask("GET", "/v1"), ProxyAway)

    def test_drained(self) -> Deferred[None]:
        """
        It is not ready at once, serves until the delay is over, and ends then.
        """
        return Deferred.fromCoroutine(self._drained())


@implementer(IWorkers)
class _Plane:
    """
    One that is several processes.
    """

    def __init__(self, *states: Any) -> None:
        self.states = states

    def workers(self) -> tuple[WorkerFacts, ...]:
        """
        As somebody said.
        """
        return tuple(WorkerFacts(number, 100 + number, state) for number, state in enumerate(self.states, 1))

    def tally(self) -> Deferred[dict[str, int]]:
        """
        Nothing happened.
        """
        return succeed({"open": 2, "requests": 5})


@dataclass
class _Listeners:
    addresses: tuple[Address, ...] = (Address("::", 443),)
    adopted: frozenset[Address] = frozenset({Address("::", 443)})


class _Certificates:
    def __init__(self, *found: CertificateStatus) -> None:
        self.found = {each.key: each for each in found}
        self.keys = tuple(self.found)
        self.statusOf: Any = self.found.get


@dataclass
class _Life:
    """
    Whatever a test wants it to be.
    """

    config: Config
    plane: Any
    certificates: Any
    milestones: Milestones
    age: float = 5.0
    successor: int | None = None
    listeners: Any = field(default_factory=_Listeners)


class StandingTests(SynchronousTestCase):
    """
    Proxies that are not well.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.rightNow = 1e9
        config = Config((Route("a", (443,), Respond(), "http"),), "/state")
        self.life = _Life(config, _Plane("serving"), _Certificates(), Milestones(self.clock.seconds))
        self.farewell = Farewell(self.clock, lambda: None, lambda: 1.0)

    def status(self, complete: Any = lambda status: status) -> Mapping[str, Any]:
        """
        As it is told.
        """
        desk = Desk()
        overview = Overview(self.life, self.farewell, self.clock, complete)
        overview.begin(desk)
        replies: list[Reply] = []
        Deferred.fromCoroutine(desk.answer("GET", "/v1/status", {}, b"", "user 7")).addCallback(
            replies.append
        )
        while not replies:
            self.clock.advance(0)
        overview.end()
        self.assertEqual(replies[0].status, 200)
        schema = description()["components"]["schemas"]["Status"]
        self.assertEqual(objections(schema, json.loads(json.dumps(replies[0].members)), description()), [])
        return replies[0].members

    def test_workers(self) -> None:
        """
        It is ready as long as some worker serves.
        """
        self.life.plane = _Plane("vacant", "starting", "leaving", "serving")
        found = self.status()
        self.assertEqual(
            [each["state"] for each in found["workers"]], ["vacant", "starting", "leaving", "serving"]
        )
        self.assertTrue(found["ready"])
        self.life.plane = _Plane("vacant", "starting")
        self.assertEqual(self.status()["reason"], "no worker serves")

    def test_ports(self) -> None:
        """
        It is not ready before every port is accepted on, and not while it stops.
        """
        self.life.listeners = _Listeners(adopted=frozenset())
        self.assertEqual(self.status()["reason"], "there are ports on which nobody accepts yet")
        self.life.plane = None
        found = self.status()
        self.assertEqual((found["reason"], found["workers"]), ("it is being stopped", []))

    def test_successor(self) -> None:
        """
        It is not ready when another process serves, however well it stands.
        """
        self.life.successor = 816
        found = self.status()
        self.assertEqual((found["ready"], found["reason"]), (False, "process 816 serves in its place"))

    def test_certificates(self) -> None:
        """
        What fails is told with the reason, at most twenty of it, all is counted, and
        others have their turn meanwhile.
        """
        some = CertificateStatus("auto:a", "auto", ("a.test",), "valid")
        failed = replace(some, state="failed", problem="no such name", nextAttempt=1e9)
        states = [replace(failed, key=f"auto:{number}") for number in range(500)]
        states += [
            some,
            replace(some, key="auto:b", state="ordering"),
            replace(some, key="auto:c", state="unsaved"),
        ]
        self.life.certificates = _Certificates(*states)
        found = self.status()["certificates"]
        self.assertEqual((found["wanted"], found["valid"], found["failing"]), (503, 2, 500))
        self.assertEqual(found["states"], {"failed": 500, "valid": 1, "ordering": 1, "unsaved": 1})
        self.assertEqual(len(found["problems"]), 20)
        self.assertEqual(
            found["problems"][0],
            {
                "key": "auto:0",
                "names": ["a.test"],
                "state": "failed",
                "problem": "no such name",
                "next_attempt": "2001-09-09T01:46:40Z",
            },
        )

    def test_completed(self) -> None:
        """
        What others know about a certificate is a problem as well.
        """
        self.life.certificates = _Certificates(CertificateStatus("auto:a", "auto", ("a.test",), "valid"))
        found = self.status(lambda status: replace(status, problem="a hook failed"))["certificates"]
        self.assertEqual((found["valid"], found["failing"]), (1, 1))
        self.assertEqual(found["problems"][0]["problem"], "a hook failed")
