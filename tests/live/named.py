"""
Runs BIND, with zones that a key may change.

    >>> names = Named(reactor, self.mktemp(), "a.test")
    >>> yield names.start()
    >>> names.address                   # of UDP and TCP
    >>> names.keyName, names.secret     # for updates
    >>> yield names.stop()

Put C{skip = missing} on a test case that needs it.
"""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from smartproxy_tw.facts import Address

from ..ports import freePorts
from .pebble import _Process
from .running import PATIENCE

__all__ = ["Named", "missing"]

#: Debian has it where not every user's PATH goes.
_PATH = os.environ.get("PATH", "") + ":/usr/sbin"

#: Why the tests that need BIND are skipped here, or C{None}.
missing: str | None = None if shutil.which("named", path=_PATH) else "needs the Debian package bind9"

_ZONE = """$TTL 60
@ IN SOA ns.{zone}. ops.{zone}. 1 3600 600 86400 1
@ IN NS ns.{zone}.
@ IN A 127.0.0.1
ns IN A 127.0.0.1
* IN A 127.0.0.1
{more}
"""

_OPTIONS = """options {{
  directory "{directory}";
  listen-on port {port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  pid-file none;
  session-keyfile "{directory}/session.key";
  recursion no;
  dnssec-validation no;
}};
controls {{ }};
key "{key}" {{ algorithm hmac-sha256; secret "{secret}"; }};
"""


class Named:
    """
    A running BIND.
    """

    keyName = "acme"
    secret = "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="

    def __init__(
        self, reactor: Any, directory: str, *zones: str, more: str = "", isUpdated: bool = True
    ) -> None:
        """
        @param reactor: Runs the process.
        @param directory: For its files; made if need be.
        @param zones: Which it is primary for.
        @param more: Further records of the first.
        @param isUpdated: Whether zones are changed by updates; otherwise by their
            files, which are read again by L{reload}.
        """
        self._isUpdated = isUpdated
        self._reactor = reactor
        self._directory = Path(directory).resolve()
        self._zones = zones
        self._more = more
        self._process: _Process | None = None
        self._log = self._directory / "named.log"
        self.address = Address("127.0.0.1", freePorts(1)[0])

    def fileOf(self, zone: str) -> str:
        """
        The file of a zone.
        """
        return str(self._directory / f"{zone}.zone")

    def reload(self) -> None:
        """
        Have it read its files again, unless it has ended.
        """
        if self._process is not None and not self._process.ended:
            self._process.transport.signalProcess("HUP")

    def start(self) -> Deferred[None]:
        """
        Start it; fires when it answers.
        """
        return Deferred.fromCoroutine(self._start())

    def stop(self) -> Deferred[None]:
        """
        End it.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        text = _OPTIONS.format(
            directory=self._directory, port=self.address.port, key=self.keyName, secret=self.secret
        )
        for index, zone in enumerate(self._zones):
            file = Path(self.fileOf(zone))
            file.write_text(_ZONE.format(zone=zone, more="" if index else self._more))
            text += (
                f'zone "{zone}" {{ type primary; file "{file}";'
                + (f' update-policy {{ grant "{self.keyName}" zonesub TXT; }};' if self._isUpdated else "")
                + " };\n"
            )
        (self._directory / "named.conf").write_text(text)
        heard = self._log.stat().st_size if self._log.exists() else 0
        process = self._process = _Process("named", self._log)
        program = shutil.which("named", path=_PATH)
        assert program, missing
        process.begin(
            self._reactor, program, "-g", "-c", str(self._directory / "named.conf"), env={"PATH": _PATH}
        )
        giveUp = self._reactor.seconds() + PATIENCE
        while True:
            with socket.socket() as probe:
                # It listens before it has read its zones, and refuses to answer for them until then.
                if self._hasRead(heard) and probe.connect_ex(self.address) == 0:
                    return
            if process.ended or self._reactor.seconds() > giveUp:
                log = self._log.read_text("utf-8", "replace")
                await self._stop()
                raise RuntimeError(f"named does not answer:\n{log[-2000:]}")
            await deferLater(self._reactor, 0.05)

    def _hasRead(self, begin: int) -> bool:
        """
        Whether it has read its zones, by what its log has behind this place.
        """
        return b"all zones loaded" in self._log.read_bytes()[begin:]

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.end()
