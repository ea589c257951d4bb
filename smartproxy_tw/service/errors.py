"""
Why a start failed, for the operator who has to mend it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ..config.changes import Changes
    from ..facts import Address

__all__ = [
    "CertificateError",
    "ChangeRefused",
    "ListenError",
    "NotNow",
    "NotPossible",
    "RestartNeeded",
    "StartError",
    "StoppedError",
    "UpgradeRefused",
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


class ChangeRefused(Exception):
    """
    Another configuration cannot be put to use: everything goes on as before.  The
    text is the whole message.
    """


class UpgradeRefused(Exception):
    """
    Another process cannot take over: everything goes on as before.  The text is the
    whole message.
    """


class RestartNeeded(ChangeRefused):
    """
    It changes what a process is begun with.

    @ivar changes: All that it would change; the obstacles are in it.
    """

    def __init__(self, changes: Changes) -> None:
        """
        @param changes: All that it would change.
        """
        told = "; ".join(map(str, changes.obstacles))
        super().__init__(
            f"Only a restart can change this, so nothing is changed: {told}."
            " Restart the proxy (smartproxy upgrade does it and refuses nobody), or take that back and reload"
            " again."
        )
        self.changes = changes


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


class NotProvisioned(Exception):
    """
    A certificate was asked for and could not be had; the text says for which names and why.  What was
    served before is served, and it is tried again by the usual rules.
    """


class NotPossible(Exception):
    """
    What was asked for makes no sense for this certificate.
    """
