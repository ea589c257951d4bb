"""
Runs Pebble, the certificate authority that Let's Encrypt's developers test
with, and C{pebble-challtestsrv} as its DNS: every name is 127.0.0.1.

    >>> authority = Pebble(reactor, self.mktemp(), httpPort=8080, tlsPort=8443)
    >>> yield authority.start()         # both processes answer
    >>> authority.directoryURL          # for acme.directory
    >>> authority.caFile                # for acme.ca_file: trust for the directory's own HTTPS
    >>> authority.root                  # PEM that issued chains end in; a new one by each start
    >>> authority.tally()               # what it was asked, by its own log
    >>> yield authority.stop()          # and start() again: an outage, at the same ports

Put C{skip = missing} on a test case that needs it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.ssl import Certificate
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from smartproxy_tw.acme.x509 import Signer
from smartproxy_tw.facts import Address

from ..ports import freePorts
from .running import PATIENCE

__all__ = ["Pebble", "Tally", "missing"]

#: Why the tests that need Pebble are skipped here, or C{None}.
missing: str | None = None
if not (shutil.which("pebble") and shutil.which("pebble-challtestsrv")):
    missing = "needs the Debian package pebble"


@dataclass(frozen=True)
class Tally:
    """
    What Pebble was asked since it started.

    @ivar requests: All of them.
    @ivar accounts: Requests to register.
    @ivar orders: Requests for a new order that were not refused for their
        nonce.
    @ivar invalid: Authorizations that came to nothing.
    @ivar issued: Certificates.
    """

    requests: int
    accounts: int
    orders: int
    invalid: int
    issued: int


class _Process(ProcessProtocol):
    """
    One of the two: its output goes to a file, its end is a Deferred.
    """

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self._log = log
        self.ended = False
        self._waiting: list[Deferred[None]] = []

    def begin(self, reactor: Any, program: str, *arguments: str, **more: Any) -> None:
        """
        Begin it.

        @param more: As for C{spawnProcess}.
        """
        with self._log.open("ab") as log:
            # It writes there itself: what it says of a request is there before it answers, however late
            # the reactor here would have come to read it from a pipe.
            descriptors = {0: "w", 1: log.fileno(), 2: log.fileno()}
            reactor.spawnProcess(self, program, [self.name, *arguments], childFDs=descriptors, **more)

    def processEnded(self, reason: Failure) -> None:
        self.ended = True
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    async def end(self) -> None:
        if self.ended:
            return
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        try:
            self.transport.signalProcess("KILL")
        except error.ProcessExitedAlready:
            pass
        await done


class Pebble:
    """
    A running Pebble with its DNS.
    """

    def __init__(
        self,
        reactor: Any,
        directory: str | os.PathLike[str],
        *,
        httpPort: int,
        tlsPort: int,
        validity: int | None = None,
        nonceReject: int = 0,
        sleep: bool = False,
        externalKeys: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        nameServer: str | None = None,
    ) -> None:
        """
        @param reactor: Runs the processes; any POSIX reactor.
        @param directory: For the files of this run; made if need be.
        @param httpPort: Where http-01 answers are asked for.
        @param tlsPort: Where tls-alpn-01 answers are asked for.
        @param validity: Of the certificates it issues, in seconds; Pebble's
            own default is five years.
        @param nonceReject: How many of a hundred good nonces it refuses;
            Pebble's own default is 5.
        @param sleep: Whether it waits up to 15 s before each validation.
        @param externalKeys: MAC keys, base64url, by their identifiers, one of
            which every new account has to be bound to.
        @param environment: Further variables for it, for instance
            C{{"PEBBLE_AUTHZREUSE": "100"}}; authorizations are not reused
            unless this says so.
        @param nameServer: Whom it asks, as C{"127.0.0.1:53"}, in place of its own
            DNS.
        """
        self._reactor = reactor
        self._directory = Path(directory).resolve()
        self._challengePorts = httpPort, tlsPort
        self._validity = validity
        self._externalKeys = externalKeys
        self._nameServer = nameServer
        self._environment = {
            **os.environ,
            "PEBBLE_WFE_NONCEREJECT": str(nonceReject),
            "PEBBLE_VA_NOSLEEP": "0" if sleep else "1",
            "PEBBLE_AUTHZREUSE": "0",
            **(environment or {}),
        }
        self._processes: list[_Process] = []
        self._ports: tuple[int, int, int, int] | None = None
        self.root = b""

    @property
    def directoryURL(self) -> str:
        """
        Where an ACME client begins.
        """
        assert self._ports, "not started"
        return f"https://127.0.0.1:{self._ports[0]}/dir"

    @property
    def names(self) -> Address:
        """
        Its own DNS.
        """
        assert self._ports, "not started"
        return Address("127.0.0.1", self._ports[3])

    @property
    def caFile(self) -> str:
        """
        PEM file to trust for the directory's own HTTPS.
        """
        return str(self._directory / "ca.pem")

    @property
    def log(self) -> str:
        """
        Pebble's own log so far, of all starts.
        """
        return (self._directory / "pebble.log").read_text("utf-8", "replace")

    def start(self) -> Deferred[None]:
        """
        Start both; fires when both answer and L{root} is known.
        """
        return Deferred.fromCoroutine(self._start())

    def stop(self) -> Deferred[None]:
        """
        End both; fires when they are gone.  Everything Pebble knew is lost,
        accounts too; the files and the ports stay for another L{start}.
        """
        return Deferred.fromCoroutine(self._stop())

    def tell(self, verb: str, **facts: object) -> Deferred[None]:
        """
        Have its DNS answer otherwise, for instance C{tell("add-a", host="a.test.",
        addresses=["127.0.0.9"])}.
        """
        return Deferred.fromCoroutine(self._tell(verb, facts))

    @property
    def pidOfNames(self) -> int:
        """
        The process that is its DNS.
        """
        pid: int = self._processes[0].transport.pid  # type: ignore[union-attr]
        return pid

    async def opinion(self, serial: str) -> dict[str, Any]:
        """
        What it says of a certificate that it has issued: C{Status} (C{Valid} or
        C{Revoked}) and C{Reason} among others.

        @param serial: Its serial number, hexadecimal.
        """
        assert self._ports, "not started"
        even = serial.zfill(len(serial) + len(serial) % 2)
        url = f"https://127.0.0.1:{self._ports[1]}/cert-status-by-serial/{even}"
        found: dict[str, Any] = json.loads(await self._get(url))
        return found

    def tally(self) -> Tally:
        """
        What was asked since the (last) start.
        """
        log = self.log.rpartition("Starting Pebble ACME server")[2]
        handled = re.findall(r" (?:GET|HEAD|POST) (/\S*) -> calling handler", log)
        placed = len(re.findall(r"Added order \"", log))
        return Tally(
            requests=len(handled),
            accounts=sum(path.startswith("/sign-me-up") for path in handled),
            orders=placed,
            invalid=len(re.findall(r"set INVALID by completed challenge", log)),
            issued=len(re.findall(r"Issued certificate serial", log)),
        )

    async def _start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        if self._ports is None:
            dns = freePorts(1, socket.SOCK_DGRAM)[0]
            self._ports = (*freePorts(3), dns)  # type: ignore[assignment]
            self._writeFiles()
        try:
            await self._run()
        except BaseException:
            await self._stop()
            raise

    async def _run(self) -> None:
        assert self._ports
        directory, management, names, dns = self._ports
        local = "127.0.0.1"
        self._spawn(
            "pebble-challtestsrv",
            *("-http01", "", "-https01", "", "-tlsalpn01", ""),
            *("-dns01", f"{local}:{dns}", "-management", f"{local}:{names}"),
            *("-defaultIPv4", local, "-defaultIPv6", ""),
        )
        self._spawn("pebble", "-config", "pebble.json", "-dnsserver", self._nameServer or f"{local}:{dns}")
        for port in (dns, names, directory, management):
            await self._answers(port)
        self.root = await self._get(f"https://{local}:{management}/roots/0")

    async def _stop(self) -> None:
        processes, self._processes = self._processes, []
        for each in processes:
            await each.end()

    def _writeFiles(self) -> None:
        assert self._ports
        signer = Signer.create("Trust for Pebble's own HTTPS")
        own = signer.issue(["localhost", "127.0.0.1"], lifetime=86400)
        (self._directory / "ca.pem").write_bytes(signer.root)
        (self._directory / "cert.pem").write_bytes(own.chain)
        (self._directory / "key.pem").write_bytes(own.key)
        settings: dict[str, Any] = {
            "listenAddress": f"127.0.0.1:{self._ports[0]}",
            "managementListenAddress": f"127.0.0.1:{self._ports[1]}",
            "certificate": "cert.pem",
            "privateKey": "key.pem",
            "httpPort": self._challengePorts[0],
            "tlsPort": self._challengePorts[1],
            "ocspResponderURL": "",
            "externalAccountBindingRequired": self._externalKeys is not None,
            "externalAccountMACKeys": dict(self._externalKeys or {}),
        }
        if self._validity is not None:
            settings["certificateValidityPeriod"] = self._validity
        (self._directory / "pebble.json").write_text(json.dumps({"pebble": settings}))

    def _spawn(self, program: str, *arguments: str) -> None:
        process = _Process(program, self._directory / f"{program}.log")
        self._processes.append(process)
        found = shutil.which(program)
        assert found, missing
        process.begin(self._reactor, found, *arguments, env=self._environment, path=str(self._directory))

    async def _answers(self, port: int) -> None:
        """
        Wait until somebody accepts there: 10 ms between tries, and an end at
        once when a process has died.
        """
        giveUp = self._reactor.seconds() + PATIENCE
        while True:
            for each in self._processes:
                if each.ended:
                    log = (self._directory / f"{each.name}.log").read_text("utf-8", "replace")
                    raise RuntimeError(f"{each.name} has ended:\n{log[-2000:]}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if self._reactor.seconds() > giveUp:
                raise RuntimeError(f"Nobody listens on 127.0.0.1:{port} after {PATIENCE} s.")
            await deferLater(self._reactor, 0.01)

    async def _tell(self, verb: str, facts: dict[str, object]) -> None:
        from io import BytesIO

        from twisted.web.client import Agent, FileBodyProducer, readBody

        assert self._ports
        body: Any = FileBodyProducer(BytesIO(json.dumps(facts).encode()))
        url = f"http://127.0.0.1:{self._ports[2]}/{verb}"
        answer = await Agent(self._reactor).request(b"POST", url.encode("ascii"), bodyProducer=body)
        await readBody(answer)
        if answer.code != 200:
            raise RuntimeError(f"{verb}: {answer.code}")

    async def _get(self, url: str) -> bytes:
        from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, readBody

        trust = Certificate.loadPEM((self._directory / "ca.pem").read_bytes())
        agent = Agent(self._reactor, BrowserLikePolicyForHTTPS(trust))
        answer = await agent.request(b"GET", url.encode("ascii"))
        body: bytes = await readBody(answer)
        return body
