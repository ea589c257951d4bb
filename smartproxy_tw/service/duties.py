"""
What only one process at a time does for a proxy: it uses the state directory, orders
certificates, runs the operator's programs, answers for names, and is spoken to.

All else is shared where one process takes the place of another: both serve for a while.
So the duties are laid down before the next process takes them up, and taken up again where
nothing comes of that.  The state directory stays locked in between, by this process or by
the next one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..control.errors import PlaneLost
from ..interfaces import IPlane
from ..store.directory import StateError
from .certificates import Certificates
from .errors import StartError, StoppedError
from .milestones import Milestones
from .readiness import Readiness
from .stopping import quietly

if TYPE_CHECKING:
    from .binding import Binding
    from .doors import Door
    from .events import Events
    from .hooks import CertificateHooks
    from .storage import Storage

__all__ = ["Duties", "MakeAdmin", "MakeCertificates"]

#: Makes the certificates of a life: from its data path, the gate that orders wait
#: for, and its milestones.
MakeCertificates = Callable[[IPlane, Callable[[], "Deferred[None]"], Milestones], Certificates]

#: Makes what the proxy is spoken to by, or L{None} where it is not to be.
MakeAdmin = Callable[[Certificates, IPlane], "Door | None"]


class Duties:
    """
    Those of one life.

    @ivar certificates: L{None} until L{take}.
    @ivar hooks: What runs the operator's programs; L{None} until L{perform}, or where there
        are none.
    """

    _log = Logger()

    def __init__(
        self,
        storage: Storage,
        binding: Binding,
        makeCertificates: MakeCertificates,
        gate: Callable[[], Deferred[None]],
        makeHooks: Callable[[], CertificateHooks] | None,
        events: Events | None,
        makeAdmin: MakeAdmin,
    ) -> None:
        """
        @param storage: The state directory.
        @param binding: Has the ports of the name server.
        @param makeCertificates: Makes the certificates; called once the storage is open.
        @param gate: What orders wait for.
        @param makeHooks: Makes what runs the operator's programs, if there are any.
        @param events: Tells them what happens to certificates.
        @param makeAdmin: Makes what the proxy is spoken to by; called when everything is
            served.
        """
        self._storage = storage
        self._binding = binding
        self._makeCertificates = makeCertificates
        self._gate = gate
        self._makeHooks = makeHooks
        self._events = events
        self._makeAdmin = makeAdmin
        self._admin: Door | None = None
        self._isResting = False
        self._isEnding = False
        self._turn: Readiness | None = None
        self.certificates: Certificates | None = None
        self.hooks: CertificateHooks | None = None

    @property
    def isResting(self) -> bool:
        """
        Whether they are laid down, or about to be.
        """
        return self._isResting

    def take(self, plane: IPlane, milestones: Milestones) -> Certificates:
        """
        Have the certificates made, which are to be loaded then.  The storage is open.

        @param plane: What serves.
        @param milestones: When what happened.
        """
        self.certificates = self._makeCertificates(plane, self._gate, milestones)
        return self.certificates

    def perform(self, certificates: Certificates, plane: IPlane) -> None:
        """
        Do all that is done when everything is served: orders, programs, answers.

        @param certificates: They are loaded.
        @param plane: What serves.
        """
        if self._makeHooks is not None and self._events is not None:
            self.hooks = self._makeHooks()
            self.hooks.begin(certificates.kept(), self._events)
        certificates.provisionAll().addErrback(self._provisioningFailed)
        self._admin = self._makeAdmin(certificates, plane)
        if self._admin is not None:
            self._admin.open()

    async def rest(self, before: Callable[[], Awaitable[None]]) -> None:
        """
        Lay them down, but go on being spoken to.

        @param before: What has to be over first, and is not to begin again.
        """
        self._isResting = True
        turn = self._turn = Readiness()
        try:
            await self._rest(before)
        finally:
            turn.happen()

    async def _rest(self, before: Callable[[], Awaitable[None]]) -> None:
        await before()
        if self.hooks is not None:
            await quietly("the hooks", self.hooks.stop)
        if self.certificates is not None:
            await quietly("the certificates", self.certificates.stop)
        await quietly("the name server", self._binding.closeNames)

    async def resume(self, plane: IPlane, milestones: Milestones) -> None:
        """
        Take them up again after L{rest}; what orders left behind is taken up too.  Never
        fails: the log says what cannot be done.

        @param plane: What serves, still.
        @param milestones: When what happened.
        """
        turn = self._turn = Readiness()
        try:
            await self._resume(plane, milestones)
        except (StartError, StateError, PlaneLost, OSError, ValueError) as why:
            self._log.error(
                "Everything is served, but no certificate is ordered or renewed until a restart: {why}",
                event="resume-failed",
                why=str(why),
            )
        except Exception:
            self._log.failure("A defect while going on as before", event="resume-failed")
        finally:
            turn.happen()

    async def giveWay(self) -> None:
        """
        After L{rest}: another process is spoken to.  Step aside, where one can still ask
        this one until L{stop}.
        """
        if self._admin is not None:
            await quietly("the admin socket", self._admin.giveWay)

    async def stop(self, meanwhile: Callable[[], Awaitable[None]], *, hasDeparted: bool) -> None:
        """
        End what is not laid down: first the answers, then the orders.  Programs have as long as
        everything else takes, and a little more.

        @param meanwhile: Everything else.
        @param hasDeparted: Whether another process serves in this place, so that one can ask
            this one how it comes to its end.
        """
        self._isEnding = True
        if not hasDeparted:
            await self._closeDoors()
        if self._turn is not None:
            # They are being laid down, or taken up again: the state directory is in use until then.
            await self._turn.when()
        hooks = None if self.hooks is None or self._isResting else self.hooks.stop()
        if self.certificates is not None and not self._isResting:
            await quietly("the certificates", self.certificates.stop)
        await meanwhile()
        await self._closeDoors()
        if hooks is not None:
            await quietly("the hooks", lambda: hooks)

    async def _closeDoors(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            await quietly("the admin socket", admin.close)

    async def _resume(self, plane: IPlane, milestones: Milestones) -> None:
        self._storage.open()
        self._binding.bindNames()
        self._binding.answerNames()
        certificates = self.take(plane, milestones)
        await certificates.load()
        await plane.useTable(certificates.shown)
        # Not before: where that fails, whoever asks about the process is to be answered all the same.
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()
        # Those of before have ended.
        self.hooks = None
        self._isResting = False
        if not self._isEnding:
            self.perform(certificates, plane)

    def _provisioningFailed(self, failure: Failure) -> None:
        if not isinstance(failure.value, StoppedError | CancelledError):
            self._log.failure("A defect while provisioning certificates", failure=failure)
