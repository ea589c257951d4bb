"""
The life of one certificate in files: read at the start, looked at every few
seconds, read again when the files have changed.

A pair that is broken, or half written, replaces nothing: it is told once, and
the old pair is served on.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..facts import Credential
from .alarm import every
from .errors import CertificateError
from .status import CertificateStatus, when

if TYPE_CHECKING:
    from ..acme.x509 import CertificateFacts
    from ..config.model import Files
    from ..interfaces import IPlane

__all__ = ["FileCertificate", "interval"]

#: How often the files are looked at, in seconds.  A change is acted upon once
#: it has stayed the same from one look to the next, so that a certificate and a
#: key that are written one after the other are read together.
_INTERVAL = 3.0

#: What tells one content from another without reading it, and whether it may be
#: read: who mends that by chmod or chown does not change the content.
_Signature = tuple[tuple[int, ...] | None, ...]


# So many pairs are looked at once in an interval; more of them are looked at less often.
_PAIRS = 1000.0


def interval(pairs: int) -> float:
    """
    How often to look at each pair of files, in seconds, so that looking costs no
    more than a few percent of a processor however many pairs there are.

    @param pairs: How many there are.
    """
    return _INTERVAL * max(1.0, pairs / _PAIRS)


class FileCertificate:
    """
    One pair of files.
    """

    _log = Logger()

    def __init__(self, files: Files, plane: IPlane, clock: IReactorTime, seconds: float = _INTERVAL) -> None:
        """
        @param files: Their paths.
        @param plane: What serves.
        @param clock: The time, POSIX seconds.
        @param seconds: How often to look at the files.
        """
        self._seconds = seconds
        self._files = files
        self._plane = plane
        self._clock = clock
        self._facts: CertificateFacts | None = None
        self._problem: str | None = None
        self._used: _Signature = ()
        self._seen: _Signature = ()
        self._watch: LoopingCall | None = None
        self._reading = False

    @property
    def key(self) -> str:
        """
        Its identity.
        """
        return self._files.key

    def load(self) -> Deferred[None]:
        """
        Read the files, have them served, and watch them.

        @return: Fails with L{CertificateError} when they cannot be used.
        """
        return Deferred.fromCoroutine(self._load())

    def stop(self) -> Deferred[None]:
        """
        Look no more.
        """
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        return succeed(None)

    def status(self) -> CertificateStatus:
        """
        How it stands.
        """
        facts = self._facts
        isCurrent = facts is not None and facts.notAfter > self._clock.seconds()
        return CertificateStatus(
            key=self._files.key,
            source="files",
            names=() if facts is None else facts.names,
            state="missing" if facts is None else "valid" if isCurrent else "expired",
            expires=None if facts is None else facts.notAfter,
            problem=self._problem,
        )

    async def _load(self) -> None:
        await self._use()
        assert self._facts is not None
        if self._facts.notAfter <= self._clock.seconds():
            self._log.warn(
                "The certificate in {path} expired at {expires}; it is served all the same",
                event="certificate-expired",
                path=self._files.certificate,
                expires=when(self._facts.notAfter),
            )
        self._watch = every(self._clock, self._seconds, self._look)

    async def _use(self) -> None:
        from ..acme.x509 import checkCredential

        self._used = self._seen = self._signature()
        try:
            credential = Credential(chain=_read(self._files.certificate), key=_read(self._files.privateKey))
        except OSError as why:
            raise CertificateError(
                f"The file {why.filename} cannot be read: {why.strerror} (as user {os.geteuid()})."
                " Correct the path, or let that user read it."
            ) from why
        try:
            facts = checkCredential(credential)
            await self._plane.install(self._files.key, credential)
        except ValueError as why:
            raise CertificateError(
                f"The certificate in {self._files.certificate} with the key in {self._files.privateKey}"
                f" cannot be used: {why}"
            ) from why
        self._facts = facts

    def _look(self) -> None:
        now = self._signature()
        if now == self._used or now != self._seen or self._reading:
            self._seen = now
            return
        self._reading = True
        Deferred.fromCoroutine(self._replace())

    async def _replace(self) -> None:
        try:
            await self._use()
        except Exception as why:
            self._problem = str(why)
            self._log.error(
                "{why} The one that was read before is served on.",
                event="certificate-file-unusable",
                path=self._files.certificate,
                why=str(why),
            )
        else:
            assert self._facts is not None
            self._problem = None
            self._log.info(
                "Serving the new certificate in {path} for {names}, valid until {expires}",
                event="certificate-file-changed",
                path=self._files.certificate,
                names=", ".join(self._facts.names),
                expires=when(self._facts.notAfter),
            )
        finally:
            self._reading = False

    def _signature(self) -> _Signature:
        return tuple(_signatureOf(path) for path in (self._files.certificate, self._files.privateKey))


def _signatureOf(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode, found.st_uid, found.st_gid


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
