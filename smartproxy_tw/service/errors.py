"""
Why a start failed, for the operator who has to mend it.
"""

from __future__ import annotations

from ..facts import Address

__all__ = ["CertificateError", "ListenError", "StartError", "StoppedError"]


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
