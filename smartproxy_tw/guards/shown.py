"""
What targets are told of the certificate that a client has shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..facts import Amendment
from .fields import line, twins

if TYPE_CHECKING:
    from ..config.security import CertificateHeaders
    from .visit import Request

__all__ = ["Shown"]


class Shown:
    """
    Tells them, and nobody else does: the client's own fields of these names are removed.
    """

    def __init__(self, settings: CertificateHeaders) -> None:
        """
        @param settings: By which fields.
        """
        self._settings = settings
        self._removed = twins(settings.all)

    def ask(self, request: Request) -> None:
        """
        See L{Guard<smartproxy_tw.guards.visit.Guard>}.
        """
        settings, shown = self._settings, request.connection.certificate
        lines = b""
        if settings.verified is not None:
            lines += line(settings.verified, "NONE" if shown is None else "SUCCESS")
        if shown is not None:
            for name, value in (
                (settings.subject, shown.subject),
                (settings.names, shown.names),
                (settings.fingerprint, shown.fingerprint),
                (settings.serial, shown.serial),
            ):
                if name is not None and value:
                    lines += line(name, value)
        request.exchange.amend(Amendment(removed=self._removed, fields=lines))

    def close(self) -> None:
        """
        There is nothing to close.
        """
