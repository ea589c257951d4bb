"""
Tries out at an authority's staging environment whether names can be proved; what it
issues is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from ..acme.agenda import Wish
from ..acme.errors import AuthorityProblem, IssuanceFailed
from ..acme.rehearsal import isUnproved

if TYPE_CHECKING:
    from ..facts import Credential
    from .admission import Admission
    from .ways import Obtain

__all__ = ["Rehearsal"]


class Rehearsal:
    """
    At one staging environment.
    """

    _log = Logger()

    def __init__(
        self, directory: str, admission: Admission, obtain: Obtain, close: Callable[[], Deferred[None]]
    ) -> None:
        """
        @param directory: The URL of its directory.
        @param admission: Says who may ask it now.
        @param obtain: Places an order there.
        @param close: Closes the way to it.
        """
        self._directory = directory
        self._admission = admission
        self._obtain = obtain
        self._close = close

    async def tryOut(self, names: tuple[str, ...]) -> None:
        """
        See whether names can be proved.  A staging environment that is away, or
        refuses for any other reason, proves nothing, and postpones nothing.

        @raise IssuanceFailed: They cannot.
        """
        self._log.info(
            "Names could not be proved again and again: {names} are tried at {directory} first,"
            " where failures are not counted",
            event="rehearsal-begun",
            names=", ".join(names),
            directory=self._directory,
        )
        try:
            await self._admission.admit(Wish(names), lambda: self._obtain(names, _thrownAway))
        except IssuanceFailed as why:
            if isinstance(why, AuthorityProblem) and why.byName:
                doing = f"trying out {', '.join(names)} at {self._directory}"
                raise AuthorityProblem(
                    doing, why.problem, byName=why.byName.items(), retryAfter=why.retryAfter
                ) from why
            if isUnproved(why):
                raise
            self._log.warn(
                "{directory} could not be used to try out {names}, the order is placed: {why}",
                event="rehearsal-failed",
                directory=self._directory,
                names=", ".join(names),
                why=str(why),
            )

    async def stop(self) -> None:
        """
        Close the way.  Those who try something out are to be ended before.
        """
        self._admission.stop()
        await self._close()


def _thrownAway(_: Credential) -> Deferred[None]:
    return succeed(None)
