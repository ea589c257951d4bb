"""
A certificate store that somebody else wrote (C{txacme.interfaces.ICertificateStore}),
kept from holding up the proxy: each question to it has an end in time, and whatever
it raises is said in the words that our own stores have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.python.failure import Failure
from txacme.interfaces import ICertificateStore
from zope.interface import implementer

from ..bounds.within import within

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

__all__ = ["ForeignCertificates"]

#: So long it may take for one answer, in seconds.
_PATIENCE = 30.0


@implementer(ICertificateStore)
class ForeignCertificates:
    """
    One such store.
    """

    def __init__(self, certificates: ICertificateStore, clock: IReactorTime) -> None:
        """
        @param certificates: What is asked.
        @param clock: Ends what takes too long.
        """
        self._certificates = certificates
        self._clock = clock

    def get(self, server_name: str) -> Deferred[list[Any]]:
        """
        The C{pem} objects of one entry.

        @return: Fails with L{KeyError} when there is none, otherwise with
            L{ValueError} or L{OSError}.
        """
        return self._ask("get", list, server_name)

    def store(self, server_name: str, pem_objects: Iterable[Any]) -> Deferred[None]:
        """
        Keep them in place of what has that name.

        @return: Fails with L{ValueError} or L{OSError}; they may be kept all the
            same when it was only late.
        """
        return self._ask("store", _nothing, server_name, list(pem_objects))

    def as_dict(self) -> Deferred[dict[str, list[Any]]]:
        """
        All of it.  An entry that is no sequence is an empty one.

        @return: Fails with L{ValueError} or L{OSError}.
        """
        return self._ask("as_dict", _entries)

    def _ask(self, method: str, understood: Callable[[Any], Any], *arguments: Any) -> Deferred[Any]:
        what = f"{type(self._certificates).__name__}.{method}"
        doing: Deferred[Any] = maybeDeferred(getattr(self._certificates, method), *arguments)
        # Here already, so that a CancelledError of its own is not taken for one of ours.
        doing.addCallback(understood).addErrback(_failed, what)
        return within(_PATIENCE, self._clock, doing).addErrback(_late, what)


def _nothing(_: object) -> None:
    """
    What a store says of having stored means nothing.
    """


def _entries(found: Any) -> dict[str, list[Any]]:
    entries = {}
    for name, objects in dict(found).items():
        # A list of our own: some give out the very thing that they go on to change.
        entries[str(name)] = list(objects) if isinstance(objects, Iterable) else []
    return entries


def _failed(failure: Failure, what: str) -> Any:
    why = failure.value
    if isinstance(why, KeyError | ValueError | OSError):
        return failure
    raise OSError(f"{what} failed with {type(why).__name__}: {str(why).rstrip('.')}") from why


def _late(failure: Failure, what: str) -> Any:
    if isinstance(failure.value, TimeoutError):
        raise OSError(f"{what} did not answer within {_PATIENCE:g} s")
    return failure
