"""
The authority behind C{certificate: internal}: a root of our own, made once, and
the certificates that it signs.

C{authority.pem} holds the root's key and certificate, for nobody else to read;
C{root.pem} holds the certificate alone, for trust stores.  The first is the
truth and the second a copy, so an interrupted start leaves nothing half made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger

if TYPE_CHECKING:
    from ..acme.x509 import Signer
    from ..facts import Credential
    from .directory import SecureDirectory

__all__ = ["LEAF_LIFETIME", "LOOPBACK", "LocalAuthority"]

#: How long a certificate by us is valid, in seconds.  It costs a millisecond
#: to make another, so short is safe.
LEAF_LIFETIME = 7 * 86400.0

#: What a certificate is for when its route has no domains.
LOOPBACK = ("localhost", "127.0.0.1", "::1")

_SECRET = "authority.pem"
_ROOT = "root.pem"
_NAME = "smartproxy_tw local authority"


class LocalAuthority:
    """
    Signs for whoever trusts its root.

    @ivar problem: Why the root that rests here is not the one that signs, for
        people; L{None}: it is.
    """

    _log = Logger()

    def __init__(self, directory: SecureDirectory, seconds: Callable[[], float]) -> None:
        """
        @param directory: Where the root is kept; open.
        @param seconds: The time, POSIX seconds.
        """
        self._directory = directory
        self._seconds = seconds
        self._signer: Signer | None = None
        self.problem: str | None = None

    @property
    def rootPath(self) -> str:
        """
        The file with the certificate that clients are to trust.
        """
        return self._directory.pathOf(_ROOT)

    def open(self) -> None:
        """
        Load the root, or make it.

        When it cannot be read or written, or makes no sense, the file stays as it is,
        since clients trust what was in it; whoever needs a certificate gets one by a
        root that lives as long as this process, and that no client trusts.  Neither
        those nor anybody else's certificates have to wait for it to be mended.
        """
        from ..acme.x509 import Signer

        before = self.problem
        try:
            self._signer = self._kept()
            self.problem = None
            return
        except OSError as why:
            self.problem = f"The local authority in {self._path} cannot be kept: {why.strerror}."
        except ValueError as why:
            self.problem = (
                f"The local authority in {self._path} cannot be used: {str(why).rstrip('.')}."
                " Restore the file, or remove it to have another made, whose root clients then"
                " need to trust anew."
            )
        if self.problem != before:
            self._log.error(
                "{problem} Until then its certificates are by a root that nobody trusts.",
                event="authority-unusable",
                problem=self.problem,
            )
        if self._signer is None or self._isOver(self._signer):
            self._signer = Signer.create(_NAME, now=self._seconds())

    def _isOver(self, signer: Signer) -> bool:
        from ..acme.x509 import describe

        return describe(signer.root).notAfter <= self._seconds()

    @property
    def _path(self) -> str:
        return self._directory.pathOf(_SECRET)

    def _kept(self) -> Signer:
        from ..acme.x509 import Signer

        content = self._directory.read(_SECRET)
        if content is not None:
            signer = Signer.fromPEM(content, content)
            if self._isOver(signer):
                # Made by a clock that was far behind, most likely.
                aside = self._directory.setAside(_SECRET, ".expired")
                self._log.warn(
                    "The root of the local authority is over, another is made; the old one is {path} now",
                    event="authority-over",
                    path=aside,
                )
                content = None
        if content is None:
            signer = Signer.create(_NAME, now=self._seconds())
            self._directory.write(_SECRET, signer.credential.key + signer.credential.chain)
            self._log.info(
                "Made a local authority; clients that are to trust it need {path}",
                event="authority-made",
                path=self.rootPath,
            )
        if self._directory.read(_ROOT) != signer.root:
            self._directory.write(_ROOT, signer.root, public=True)
        return signer

    def issue(self, names: tuple[str, ...]) -> Credential:
        """
        Make a certificate that is valid from now on.

        @param names: What it is for; when empty, L{LOOPBACK}.
        @raise ValueError: A name cannot be in a certificate.
        """
        if self._signer is None:
            raise RuntimeError("The local authority has not been opened.")
        if self.problem is not None or self._isOver(self._signer):
            self.open()
        return self._signer.issue(names or LOOPBACK, lifetime=LEAF_LIFETIME, now=self._seconds())
