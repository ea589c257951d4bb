"""
Everything at once on one machine, for people who want to see it work: an origin,
a certificate authority that really validates over loopback, and between them a
proxy that obtains a certificate as it would from any other authority.

It needs no root, no network and no other program.  What it writes is in one
temporary directory, which is removed at the end.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import socket
import tempfile
from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from ..config.model import Config, Preflight
from ..config.short import fromSites
from ..service.errors import StartError, StoppedError
from ..service.tree import SmartProxy
from .authority import Authority

__all__ = ["NAME", "Demo", "freePort"]

#: What the demo serves.  Names below C{localhost} belong to nobody (RFC 6761).
NAME = "demo.localhost"

_HERE = "127.0.0.1"
_HTTPS = 8443
_HTTP = 8080


def freePort(first: int, taken: tuple[int, ...] = ()) -> int:
    """
    The first port of 127.0.0.1, from one upwards, that nobody listens on.

    @param first: Where to begin.
    @param taken: What is spoken for.
    @raise StartError: There is none.
    """
    for number in range(first, 65536):
        if number in taken:
            continue
        with socket.socket() as probe:
            # As Twisted binds: a port that was used a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HERE, number))
                probe.listen(1)
            except OSError:
                continue
        return number
    raise StartError(f"No port of {_HERE} from {first} up is free.")


class _Origin(Resource):
    """
    Says how the request came to it.
    """

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        """
        Plain text.
        """
        seen = {
            name.lower(): b", ".join(values) for name, values in request.requestHeaders.getAllRawHeaders()
        }
        lines = [
            b"Hello from the origin behind smartproxy_tw.",
            b"You asked for " + request.method + b" " + request.uri,
            *(
                name.title() + b": " + seen[name]
                for name in (b"host", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
                if name in seen
            ),
        ]
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")  # type: ignore[no-untyped-call]
        return b"\n".join(lines) + b"\n"


class _Site(Site):
    """
    Keeps no log: the proxy's own is there.
    """

    noisy = False

    def log(self, request: Any) -> None:
        pass


class Demo(MultiService):
    """
    The whole of it, as a service.
    """

    _log = Logger()

    def __init__(self, reactor: Any, say: Callable[[str], object]) -> None:
        """
        @param reactor: For all three.
        @param say: Called with each line that is to be seen.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._say = say
        self._directory = os.path.join(tempfile.gettempdir(), f"smartproxy-demo-{secrets.token_hex(6)}")
        self._proxy: SmartProxy | None = None
        self._authority: Authority | None = None
        self._origin: Any = None

    @property
    def directory(self) -> str:
        """
        Where its files are while it runs.
        """
        return self._directory

    @property
    def authority(self) -> Authority | None:
        """
        Who issues; L{None} before the start.
        """
        return self._authority

    @property
    def error(self) -> BaseException | None:
        """
        Why the start failed, known at once.
        """
        return None if self._proxy is None else self._proxy.error

    def whenReady(self) -> Deferred[None]:
        """
        Wait until the certificate is served and the command was shown.

        @return: Fails with L{StartError} when there is no certificate.
        """
        return Deferred.fromCoroutine(self._whenReady())

    def reopenLogs(self) -> None:
        """
        See L{SmartProxy}.
        """
        if self._proxy is not None:
            self._proxy.reopenLogs()

    def privilegedStartService(self) -> None:
        """
        Bind everything.

        @raise StartError: That is not possible.
        """
        self._prepare()
        super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """
        Begin.

        @raise StartError: As in L{privilegedStartService}, or the temporary
            directory cannot be made.
        """
        authority = self._prepare()
        try:
            os.mkdir(self._directory, 0o700)
            with open(self._rootFile, "xb") as file:
                file.write(authority.root)
            super().startService()  # type: ignore[no-untyped-call]
        except OSError as why:
            self._remove()
            raise StartError(f"{why.filename} cannot be made: {why.strerror}.") from why
        except BaseException:
            self._remove()
            raise
        if self.error is not None:
            self._remove()

    def stopService(self) -> Deferred[None]:
        """
        End everything and remove what was written.
        """
        return Deferred.fromCoroutine(self._stop())

    @property
    def _rootFile(self) -> str:
        return os.path.join(self._directory, "root.pem")

    def _prepare(self) -> Authority:
        if self._authority is not None:
            return self._authority
        https = freePort(_HTTPS)
        http = freePort(_HTTP, (https,))
        site = _Site(_Origin())  # type: ignore[no-untyped-call]
        self._origin = self._reactor.listenTCP(0, site, interface=_HERE)
        authority = self._authority = Authority(self._reactor, httpPort=http, tlsPort=https)
        # It binds at once, and a loopback port of the kernel's choice is free.
        authority.start()
        self._proxy = SmartProxy(self._configuration(http, https), self._reactor)
        self._proxy.setServiceParent(self)  # type: ignore[no-untyped-call]
        return authority

    def _configuration(self, http: int, https: int) -> Config:
        assert self._authority is not None
        from dataclasses import replace

        config = fromSites(
            [(NAME, f"{_HERE}:{self._origin.getHost().port}")],
            stateDir=os.path.join(self._directory, "state"),
            directory=self._authority.directoryURL,
            httpPort=http,
            tlsPort=https,
            bind=[_HERE],
        )
        # The file is there when the first request needs it.
        # Nobody outside knows the name, and none is to be asked.
        acme = replace(config.acme, caFile=self._rootFile, preflight=Preflight("off"))
        return replace(config, acme=acme)

    async def _whenReady(self) -> None:
        assert self._proxy is not None
        await self._proxy.whenReady()
        assert self._proxy.certificates is not None
        (status,) = await self._proxy.certificates.provisionAll()
        if status.problem is None and status.state != "valid":
            raise StoppedError("The demo was stopped before it had a certificate.")
        if status.state != "valid":
            raise StartError(f"The demo has no certificate: {status.problem}")
        self._show()

    def _show(self) -> None:
        assert self._proxy is not None
        https = self._proxy.config.acme.tlsPort
        addresses = ", ".join(str(address) for address in self._proxy.listeners.addresses)
        meanings = {
            "bound": addresses,
            "adopted": "the data path accepts on both; only now a certificate is asked for",
            "presented": "the answer to the authority's challenge is served, and it may look",
            "installed": f"the certificate for {NAME} is served, and the answer withdrawn",
        }
        self._say("")
        for name, seconds in self._proxy.milestones.reached.items():
            self._say(f"  {name:<9} {seconds * 1000:6.0f} ms   {meanings[name]}")
        self._say("")
        self._say("Paste this into another terminal; Ctrl-C here ends it all and removes what it wrote.")
        self._say("")
        self._say(
            f"curl --cacert {shlex.quote(self._rootFile)} --resolve {NAME}:{https}:{_HERE}"
            f" https://{NAME}:{https}/"
        )
        self._say("")

    async def _stop(self) -> None:
        try:
            await maybeDeferred(super().stopService)
            if self._authority is not None:
                await self._authority.stop()
            if self._origin is not None:
                await maybeDeferred(self._origin.stopListening)
        finally:
            self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
