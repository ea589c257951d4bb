"""
Several authorities: a real one stands in where the preferred one is dead, or does
not take us.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from smartproxy_tw.config.model import Acme, Authority
from smartproxy_tw.service import ways
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.store.naming import authorityName
from smartproxy_tw.testing.authority import Authority as TestingAuthority

from ..ports import freePorts
from .pebble import Pebble, missing
from .test_process import TWISTD
from .test_promise import Client, configuration, fresh, story

reactor: Any = _reactor


class _Output(ProcessProtocol):
    """
    A process whose words are kept.
    """

    def __init__(self) -> None:
        self.said = b""
        self.ended: Deferred[None] = Deferred()

    def outReceived(self, data: bytes) -> None:
        self.said += data

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(None)

    async def end(self) -> None:
        """
        Stop it, and wait for that.
        """
        try:
            self.transport.signalProcess("TERM")
        except ProcessExitedAlready:
            return
        await self.ended


class FailoverTests(TestCase):
    """
    Pebble stands in.
    """

    skip = missing
    timeout = 900

    async def pebble(self, ports: tuple[int, int]) -> Pebble:
        authority = Pebble(reactor, self.mktemp(), httpPort=ports[0], tlsPort=ports[1])
        self.addCleanup(authority.stop)
        await authority.start()
        return authority

    @story
    async def test_dead(self) -> None:
        """
        Nobody is where the preferred authority should be: after its patience the
        proxy has the certificate of the other one, keeps it as that one's, and
        serves it from the first handshake of the next start on.
        """
        self.patch(ways, "_PATIENCE", 1.5)
        *ports, nobody = freePorts(3)
        authority = await self.pebble((ports[0], ports[1]))
        config = configuration(authority, fresh(self), (ports[0], ports[1]), "dead.example")
        dead = f"https://127.0.0.1:{nobody}/directory"
        fallback = Authority(directory=authority.directoryURL, caFile=authority.caFile)
        acme = Acme(directory=dead, httpPort=ports[0], tlsPort=ports[1], fallbacks=(fallback,))
        config = replace(config, acme=acme)
        client = Client(authority.root)
        for _ in range(2):
            proxy = SmartProxy(config, reactor)
            try:
                proxy.startService()
                await proxy.whenReady()
                for _ in range(1800):
                    (status,) = proxy.status()
                    if status.state == "valid":
                        break
                    await deferLater(reactor, 0.05)
                self.assertEqual(status.state, "valid", status.problem)
                body = await client.get(ports[1], "dead.example")
                self.assertEqual(body, b"this is dead.example")
            finally:
                await proxy.stopService()
        kept = Path(config.stateDir, "certificates", authorityName(authority.directoryURL))
        self.assertTrue((kept / "dead.example.pem").exists())
        tally = authority.tally()
        self.assertEqual((tally.orders, tally.invalid, tally.issued), (1, 0, 1))

    @story
    async def test_process(self) -> None:
        """
        A proxy in a process of its own, whose preferred authority demands an
        external account that it does not have: it says which option to set,
        and serves the certificate of the other one.
        """
        ports = freePorts(2)
        authority = await self.pebble((ports[0], ports[1]))
        strict = TestingAuthority(reactor, httpPort=ports[0], tlsPort=ports[1], externalKeys={"k": b"secret"})
        await strict.start()
        self.addCleanup(strict.stop)
        directory = Path(fresh(self))
        directory.mkdir()
        (directory / "strict.pem").write_bytes(strict.root)
        (directory / "smartproxy.json").write_text(
            json.dumps(
                {
                    "bind": "127.0.0.1",
                    "state_dir": "state",
                    "acme": {
                        "directory": strict.directoryURL,
                        "ca_file": "strict.pem",
                        "fallbacks": [{"directory": authority.directoryURL, "ca_file": authority.caFile}],
                        "http_port": ports[0],
                        "tls_port": ports[1],
                    },
                    "sites": {"process.example": 1},
                }
            )
        )
        process = _Output()
        command = [*TWISTD, "-n", "smartproxy", "--config", "smartproxy.json"]
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
        reactor.spawnProcess(process, sys.executable, command, env=environment, path=str(directory))
        self.addCleanup(lambda: Deferred.fromCoroutine(process.end()))
        for _ in range(1800):
            if b"Serving a certificate for process.example by" in process.said or process.ended.called:
                break
            await deferLater(reactor, 0.05)
        said = process.said.decode()
        self.assertIn("Serving a certificate for process.example by CN=Pebble", said)
        self.assertIn("acme.external_account", said)
        connection = await Client(authority.root).connect(ports[1], "process.example")
        connection.close()
        self.assertEqual((strict.orders, authority.tally().orders), (0, 1))
