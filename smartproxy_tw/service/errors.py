"""
Why a start failed, for the operator who has to mend it.
"""

from __future__ import annotations

from typing import Literal

from ..facts import Address

__all__ = [
    "CertificateError",
    "ListenError",
    "NotNow",
    "NotPossible",
    "StartError",
    "StoppedError",
]


class StartError(Exception):
    """
    The proxy cannot start until somebody mends what the text tells: it is the
    whole message, to be shown without a traceback.
    """


class ListenError(StartError):
    """
    Ports cannot be bound.

    @ivar addresses: Which.
    """

    def __init__(self, message: str, addresses: tuple[Address, ...]) -> None:
        """
        @param message: All of it.
        @param addresses: Which could not be bound.
        """
        super().__init__(message)
        self.addresses = addresses


class CertificateError(StartError):
    """
    A certificate that the configuration names cannot be used.
    """


class StoppedError(Exception):
    """
    The proxy was stopped before that happened which somebody waited for.
    """


class NotNow(Exception):
    """
    What was asked for cannot be done at this moment, and nothing was done.

    @ivar code: C{"starting"}: the ports are not served yet.  C{"stopping"}: there
        will be nothing more.  C{"away"}: the authority cannot be reached.
        C{"held"}: it wants to be left alone.  C{"failed"}: it was tried, came to
        nothing, and is tried again later.
    @ivar until: When it can be done, POSIX seconds; L{None} where nobody knows.
    """

    def __init__(
        self,
        code: Literal["starting", "stopping", "away", "held", "failed"],
        message: str,
        until: float | None = None,
    ) -> None:
        """
        @param message: All of it, for people.
        """
        super().__init__(message)
        self.code = code
        self.until = until


class NotPossible(Exception):
    """
    What was asked for makes no sense for this certificate.
    """
