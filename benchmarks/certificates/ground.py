"""
What all scenarios stand on: one Pebble, the two ports where it looks for
answers, and one origin.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

from twisted.internet.threads import deferToThread

from tests.live.pebble import Pebble, Tally
from tests.ports import freePorts

from .. import origin
from .peers import Place

__all__ = ["Ground", "prepared"]

T = TypeVar("T")


@dataclass(slots=True)
class Ground:
    """
    Where it takes place.

    @ivar reactor: Runs Pebble and the origin.
    @ivar proxies: The names of those that are measured.
    @ivar rounds: So often, or as a scenario has it by itself.
    @ivar patience: So long a peer is waited for where it may never come, in
        seconds.
    @ivar compiled: For Python's byte code.
    @ivar over: Set when nobody wants to know any more.
    """

    reactor: Any
    proxies: tuple[str, ...]
    rounds: int | None
    patience: float
    authority: Pebble
    origin: int
    ports: tuple[int, int]
    files: Path
    compiled: Path
    over: Event
    _serial: int = 0

    @contextmanager
    def place(self, count: int = 1) -> Iterator[Place]:
        """
        An empty directory for a proxy, and names that nobody has asked for.

        @param count: Of names.
        """
        self._serial += 1
        here = Path(tempfile.mkdtemp(dir=self.files))
        try:
            yield Place(
                here,
                tuple(f"n{number}.r{self._serial}.example.com" for number in range(count)),
                self.authority.directoryURL,
                self.authority.caFile,
                *self.ports,
                self.origin,
                self.compiled,
                self.over,
            )
        finally:
            shutil.rmtree(here)

    async def aside(self, function: Callable[..., T], *arguments: Any) -> T:
        """
        Call what waits, in a thread.
        """
        result: T = await deferToThread(function, *arguments)
        return result

    def since(self, before: Tally) -> Tally:
        """
        What Pebble was asked since a moment.
        """
        now = self.authority.tally()
        return Tally(
            now.requests - before.requests,
            now.accounts - before.accounts,
            now.orders - before.orders,
            now.invalid - before.invalid,
            now.issued - before.issued,
        )


@asynccontextmanager
async def prepared(
    reactor: Any,
    proxies: tuple[str, ...],
    rounds: int | None,
    patience: float,
    compiled: Path,
    over: Event,
    *,
    isSlow: bool = False,
) -> AsyncIterator[Ground]:
    """
    All of it, running.

    @param compiled: Where Python's byte code is kept from one scenario to the next.
    @param over: To be set when nobody wants to know any more.
    @param isSlow: Whether Pebble waits up to 15 s before it looks for an answer.
    """
    http, tls, port = freePorts(3)
    # Not in this process, whose threads would wait for one another.
    serving = subprocess.Popen([sys.executable, origin.__file__, str(port)])
    with tempfile.TemporaryDirectory() as directory:
        files = Path(directory)
        authority = Pebble(reactor, files / "pebble", httpPort=http, tlsPort=tls, sleep=isSlow)
        try:
            await authority.start()
            yield Ground(
                reactor, proxies, rounds, patience, authority, port, (http, tls), files, compiled, over
            )
        finally:
            await authority.stop()
            serving.terminate()
            serving.wait()
