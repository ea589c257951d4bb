"""
The vigil over a connection to a target that carries many exchanges: when its settings are
due, when nobody has needed it for long enough, and when it is so silent that it is asked
whether it is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .poller import Poller
    from .trunk import Trunk

__all__ = ["Vigil"]

# How long a connection is kept when nobody needs it, in seconds.
_KEPT_SECONDS = 60.0
# After so many seconds of silence it is asked whether it is there, if somebody waits, and it has so many to
# answer.  One that answers and says nothing else is asked again so much later: servers of gRPC take offence
# at more than one question in five minutes.
_SILENCE = 30.0
_ANSWER = 15.0
_LONG_SILENCE = 310.0
_PING = b"are you?"


class Vigil:
    """
    That over one trunk.

    @ivar deadline: For the poller.
    """

    __slots__ = ("_heardAt", "_isPinged", "_poller", "_silence", "_trunk", "deadline")

    def __init__(self, poller: Poller, trunk: Trunk, seconds: float) -> None:
        """
        Begin.

        @param seconds: How long its settings may take.
        """
        self._poller = poller
        self._trunk = trunk
        self._isPinged = False
        self._silence = _SILENCE
        self._heardAt = poller.now
        self.deadline = poller.now + seconds
        poller.mortals[self] = None

    @property
    def busy(self) -> int:
        """
        How many exchanges the connection carries.
        """
        return self._trunk.busy

    @property
    def target(self) -> str:
        """
        Where it leads.
        """
        return self._trunk.target

    def heard(self) -> None:
        """
        Something has come.
        """
        self._heardAt = self._poller.now
        if self._isPinged or self._silence is not _SILENCE:
            self._isPinged = False
            self._silence = _SILENCE
            if self._trunk.busy:
                self.listen()

    def answered(self) -> None:
        """
        It is there, and had nothing else to say.
        """
        self._isPinged = False
        if self._trunk.busy:
            self._silence = _LONG_SILENCE
            self.listen()

    def listen(self) -> None:
        """
        From now on somebody waits.
        """
        self._heardAt = self._poller.now
        self.deadline = self._heardAt + self._silence

    def rest(self) -> None:
        """
        From now on nobody needs it.
        """
        self.deadline = self._poller.now + _KEPT_SECONDS

    def end(self) -> None:
        """
        It is gone.
        """
        self._poller.mortals.pop(self, None)

    def expire(self) -> None:
        """
        See L{Mortal<smartproxy_tw.plane.poller.Mortal>}.
        """
        trunk = self._trunk
        if not trunk.isSettled:
            trunk.lose("it did not say in time that it speaks HTTP/2")
        elif trunk.isIdle:
            trunk.leave()
        elif self._heardAt + _SILENCE > self._poller.now:
            # Something came since.
            self.deadline = self._heardAt + _SILENCE
        elif self._isPinged:
            trunk.lose("it did not answer a PING in time")
        else:
            self._isPinged = True
            self.deadline = self._poller.now + _ANSWER
            trunk.session.ping(_PING)
            trunk.touch()

    def crash(self) -> None:
        """
        A bug: end all that hangs on it.
        """
        self._trunk.crash()
