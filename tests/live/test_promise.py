"""
The promise, kept towards a certificate authority of the real world: Pebble is
asked for nothing before every port is bound and served, so it never has to say
no.  C{tests/service/test_acme_timing.py} is the same story told with fakes.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from smartproxy_tw.config.model import TLS, AccessLog, Acme, Auto, Config, Respond, Route, Timeouts
from smartproxy_tw.service.errors import ListenError
from smartproxy_tw.service.listeners import listenBy
from smartproxy_tw.service.tree import SmartProxy

from ..ports import freePorts
from .pebble import Pebble, missing
from .running import PATIENCE

reactor: Any = _reactor


def story(
    test: Callable[[Any], Coroutine[Any, Any, None]],
) -> Callable[[Any], Deferred[None]]:
    """
    A test that is a coroutine.
    """

    @wraps(test)
    def run(self: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(test(self))

    return run


def configuration(authority: Pebble, stateDir: str, ports: tuple[int, int], *names: str) -> Config:
    """
    HTTPS for some names, each with a certificate of its own, by that authority.
    """
    httpPort, tlsPort = ports
    return Config(
        routes=tuple(
            Route(
                name=name,
                ports=(tlsPort,),
                action=Respond(body=f"this is {name}"),
                protocol="http",
                domains=(name,),
                tls=TLS("terminate", Auto((name,))),
            )
            for name in names
        ),
        stateDir=stateDir,
        bind=("127.0.0.1",),
        accessLog=AccessLog("off"),
        timeouts=Timeouts(drain=1.0),
        acme=Acme(
            directory=authority.directoryURL,
            caFile=authority.caFile,
            httpPort=httpPort,
            tlsPort=tlsPort,
        ),
    )


def fresh(test: TestCase) -> str:
    """
    The absolute path of a directory that does not exist yet.
    """
    return os.path.abspath(test.mktemp())


def late(seconds: float) -> Any:
    """
    A C{listen} that takes its time, as one does that waits for an address, a
    supervisor or a predecessor.
    """
    bind = listenBy(reactor)

    def listen(host: str, number: int, factory: Any) -> Deferred[Any]:
        return deferLater(reactor, seconds, bind, host, number, factory)

    return listen


class Client:
    """
    A TLS client that trusts one root.
    """

    def __init__(self, root: bytes) -> None:
        self._context = ssl.create_default_context(cadata=root.decode("ascii"))

    def connect(self, port: int, name: str) -> Deferred[ssl.SSLSocket]:
        """
        Shake hands; fails unless the certificate is valid for the name.
        """
        return deferToThread(self._connect, port, name)

    def get(self, port: int, name: str) -> Deferred[bytes]:
        """
        Ask for C{/} and give the body.
        """
        return deferToThread(lambda: self.ask(self._connect(port, name), name, close=True))

    def ask(self, connection: ssl.SSLSocket, name: str, *, close: bool = False) -> bytes:
        """
        One request on a connection, in this thread.
        """
        end = b"Connection: close\r\n" if close else b""
        connection.sendall(b"GET / HTTP/1.1\r\nHost: " + name.encode("ascii") + b"\r\n" + end + b"\r\n")
        answer = b""
        while b"\r\n\r\n" not in answer or not answer.endswith(name.encode("ascii")):
            part = connection.recv(65536)
            if not part:
                break
            answer += part
        if close:
            connection.close()
        return answer.partition(b"\r\n\r\n")[2]

    def _connect(self, port: int, name: str) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        return self._context.wrap_socket(plain, server_hostname=name)


class PromiseTests(TestCase):
    """
    A proxy and Pebble.
    """

    skip = missing
    timeout = 900

    async def pebble(self, ports: tuple[int, int], **settings: Any) -> Pebble:
        """
        An authority that is gone after the test.
        """
        authority = Pebble(reactor, self.mktemp(), httpPort=ports[0], tlsPort=ports[1], **settings)
        self.addCleanup(authority.stop)
        await authority.start()
        return authority

    def proxy(self, config: Config, **parts: Any) -> SmartProxy:
        """
        A proxy that is stopped after the test.
        """
        proxy = SmartProxy(config, reactor, **parts)
        self.addCleanup(proxy.stopService)
        return proxy

    @story
    async def test_twentyColdStarts(self) -> None:
        """
        Twenty times from nothing, with ports that take their time to be bound:
        not one authorization fails, and each start places one order.
        """
        ports = freePorts(2)
        authority = await self.pebble(ports)
        client = Client(authority.root)
        for start in range(20):
            config = configuration(authority, fresh(self), ports, "cold.example")
            proxy = SmartProxy(config, reactor, listen=late(0.25))
            try:
                proxy.startService()
                await proxy.whenReady()
                assert proxy.certificates is not None
                (status,) = await proxy.certificates.provisionAll()
                self.assertEqual(status.state, "valid", status.problem)
                self.assertEqual(await client.get(ports[1], "cold.example"), b"this is cold.example")
                self.assertEqual(
                    list(proxy.milestones.reached), ["bound", "adopted", "presented", "installed"]
                )
            finally:
                await proxy.stopService()
            tally = authority.tally()
            self.assertEqual((tally.orders, tally.invalid, tally.issued), (start + 1, 0, start + 1))

    @story
    async def test_nothingWhenAPortIsTaken(self) -> None:
        """
        When one port cannot be had, the authority does not get a single
        request, not even for its directory.
        """
        ports = freePorts(2)
        authority = await self.pebble(ports)
        before = authority.tally().requests
        with socket.create_server(("127.0.0.1", ports[1])):
            config = configuration(authority, fresh(self), ports, "taken.example")
            proxy = self.proxy(config, listen=late(0.25))
            proxy.startService()
            error = await self.assertFailure(proxy.whenReady(), ListenError)
            self.assertIn(f"127.0.0.1:{ports[1]}", str(error))
        await deferLater(reactor, 0.2)
        self.assertEqual(authority.tally().requests, before)

    @story
    async def test_manyNamesAtOnce(self) -> None:
        """
        Many certificates at once, by an authority that refuses every other
        nonce: each is had by one order.
        """
        ports = freePorts(2)
        authority = await self.pebble(ports, nonceReject=50)
        names = tuple(f"site{number}.example" for number in range(10))
        config = configuration(authority, fresh(self), ports, *names)
        proxy = self.proxy(config)
        proxy.startService()
        await proxy.whenReady()
        assert proxy.certificates is not None
        found = await proxy.certificates.provisionAll()
        self.assertEqual({status.state for status in found}, {"valid"}, found)
        tally = authority.tally()
        self.assertEqual((tally.orders, tally.invalid, tally.issued), (10, 0, 10))
        client = Client(authority.root)
        for name in names:
            self.assertEqual(await client.get(ports[1], name), b"this is " + name.encode("ascii"))

    @story
    async def test_renewalTouchesNoConnection(self) -> None:
        """
        A certificate that is about to end is replaced: new handshakes see the
        new one, and a connection that is there goes on.
        """
        ports = freePorts(2)
        authority = await self.pebble(ports, validity=15)
        config = configuration(authority, fresh(self), ports, "short.example")
        proxy = self.proxy(config)
        proxy.startService()
        await proxy.whenReady()
        assert proxy.certificates is not None
        await proxy.certificates.provisionAll()
        client = Client(authority.root)
        kept = await client.connect(ports[1], "short.example")
        self.addCleanup(kept.close)
        first = kept.getpeercert(binary_form=True)
        for _ in range(900):
            await deferLater(reactor, 0.1)
            another = await client.connect(ports[1], "short.example")
            shown = another.getpeercert(binary_form=True)
            another.close()
            if shown != first:
                break
        else:
            self.fail("The certificate was not renewed before its end.")
        body = await deferToThread(client.ask, kept, "short.example")
        self.assertEqual(body, b"this is short.example")
        self.assertEqual(authority.tally().invalid, 0)

    @story
    async def test_restartUsesWhatIsThere(self) -> None:
        """
        A second start serves the certificate of the first from its first
        handshake on, and asks for nothing.
        """
        ports = freePorts(2)
        authority = await self.pebble(ports)
        config = configuration(authority, fresh(self), ports, "again.example")
        client = Client(authority.root)
        for _ in range(2):
            proxy = SmartProxy(config, reactor)
            proxy.startService()
            try:
                await proxy.whenReady()
                assert proxy.certificates is not None
                await proxy.certificates.provisionAll()
                self.assertEqual(await client.get(ports[1], "again.example"), b"this is again.example")
            finally:
                await proxy.stopService()
        tally = authority.tally()
        self.assertEqual((tally.accounts, tally.orders, tally.issued), (1, 1, 1))

    @story
    async def test_authorityComesBack(self) -> None:
        """
        An authority that is away when the proxy starts costs nothing but time:
        the ports are served, and the certificate is there seconds after it is
        back, without a restart.
        """
        ports = freePorts(2)
        authority = await self.pebble(ports)
        await authority.stop()
        config = configuration(authority, fresh(self), ports, "patient.example")
        proxy = self.proxy(config)
        proxy.startService()
        await proxy.whenReady()
        assert proxy.certificates is not None
        (status,) = await proxy.certificates.provisionAll()
        self.assertEqual(status.state, "failed")
        self.assertIn(authority.directoryURL, status.problem or "")
        await authority.start()
        for _ in range(900):
            await deferLater(reactor, 0.1)
            (status,) = proxy.status()
            if status.state == "valid":
                break
        self.assertEqual(status.state, "valid", status.problem)
        body = await Client(authority.root).get(ports[1], "patient.example")
        self.assertEqual(body, b"this is patient.example")


class _Running(ProcessProtocol):
    """
    A process that is watched.
    """

    def __init__(self) -> None:
        self.output = b""
        self.ended: Deferred[int] = Deferred()

    def outReceived(self, data: bytes) -> None:
        self.output += data

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        why = reason.value
        signalled = isinstance(why, ProcessTerminated) and why.signal
        self.ended.callback(-why.signal if signalled else why.exitCode)


class TwistdTests(TestCase):
    """
    The command line, as an operator types it.
    """

    skip = missing
    timeout = 900

    @story
    async def test_oneCommand(self) -> None:
        """
        C{twistd -n smartproxy --site} obtains a certificate by itself, serves
        with it, and ends well on SIGTERM.
        """
        ports = freePorts(2)
        authority = Pebble(reactor, self.mktemp(), httpPort=ports[0], tlsPort=ports[1])
        self.addCleanup(authority.stop)
        await authority.start()
        directory = fresh(self)
        os.mkdir(directory)
        running = _Running()
        words = [
            *(sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "smartproxy"),
            *("--site", "one.example=127.0.0.1:9", "--bind", "127.0.0.1"),
            *("--acme-directory", authority.directoryURL, "--acme-ca-file", authority.caFile),
            *("--http-port", str(ports[0]), "--https-port", str(ports[1]), "--state-dir", "state"),
        ]
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
        reactor.spawnProcess(running, sys.executable, words, env=environment, path=directory)
        for _ in range(900):
            await deferLater(reactor, 0.1)
            if b"Serving a certificate for one.example" in running.output or running.ended.called:
                break
        # 502: nobody listens on port 9, but the handshake was valid.
        connection = await Client(authority.root).connect(ports[1], "one.example")
        connection.close()
        running.transport.signalProcess("TERM")
        status = await running.ended
        self.assertEqual(status, -15, running.output)
        self.assertNotIn(b"Traceback", running.output)
        self.assertEqual(sorted(os.listdir(directory)), ["state"])
        tally = authority.tally()
        self.assertEqual((tally.orders, tally.invalid, tally.issued), (1, 0, 1))
