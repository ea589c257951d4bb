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

from ..facts import Credential
from .directory import StateError

if TYPE_CHECKING:
    from ..acme.x509 import Signer
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

    @property
    def rootPath(self) -> str:
        """
        The file with the certificate that clients are to trust.
        """
        return self._directory.pathOf(_ROOT)

    def open(self) -> None:
        """
        Load the root, or make it.

        @raise StateError: It cannot be read or written, or makes no sense.
            Another is not made then, since clients trust the old one.
        """
        from ..acme.x509 import Signer

        path = self._directory.pathOf(_SECRET)
        try:
            content = self._directory.read(_SECRET)
            if content is None:
                signer = Signer.create(_NAME, now=self._seconds())
                self._directory.write(_SECRET, signer.credential.key + signer.credential.chain)
                self._log.info(
                    "Made a local authority; clients that are to trust it need {path}",
                    event="authority-made",
                    path=self.rootPath,
                )
            else:
                signer = Signer.fromPEM(content, content)
            if self._directory.read(_ROOT) != signer.root:
                self._directory.write(_ROOT, signer.root, public=True)
        except OSError as why:
            raise StateError(f"The local authority in {path} cannot be kept: {why.strerror}.") from why
        except ValueError as why:
            raise StateError(
                f"The local authority in {path} cannot be used: {why} Restore the file,"
                " or remove it to have another made, whose root clients then need to trust anew."
            ) from why
        self._signer = signer

    def issue(self, names: tuple[str, ...]) -> Credential:
        """
        Make a certificate that is valid from now on.

        @param names: What it is for; when empty, L{LOOPBACK}.
        @raise ValueError: A name cannot be in a certificate.
        """
        if self._signer is None:
            raise RuntimeError("The local authority has not been opened.")
        return self._signer.issue(names or LOOPBACK, lifetime=LEAF_LIFETIME, now=self._seconds())
