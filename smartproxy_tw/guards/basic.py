"""
Users with passwords: HTTP's basic authentication (RFC 7617).

Somebody who is not known takes as long as somebody who shows a wrong password: in place of
a hash of his own, that of another user is held against what he shows.  Who that is depends
on the name, so that the time tells nothing.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from typing import TYPE_CHECKING

from twisted.logger import Logger

from ..facts import Amendment
from .fields import line, twins
from .visit import BROKEN, WAITING, Request, Verdict, refusal

if TYPE_CHECKING:
    from ..config.security import BasicAuth
    from .verifier import Answer, Verifier

__all__ = ["Basic"]

_log = Logger()

_BUSY = refusal("credentials_busy", 503, "Service Unavailable", b"Retry-After: 1\r\n")

#: Whoever shows more than this shows no password.
_LONGEST = 1024


class Basic:
    """
    Lets in whoever shows the right password.
    """

    def __init__(self, settings: BasicAuth, verifier: Verifier) -> None:
        """
        @param verifier: Verifies passwords.
        """
        self._settings = settings
        self._verifier = verifier
        self._users = {name.encode("utf-8"): hash for name, hash in settings.users}
        self._hashes = tuple(self._users.values())
        asked = b'WWW-Authenticate: Basic realm="%b", charset="UTF-8"\r\n' % settings.realm.encode("ascii")
        self._asking = refusal("no_credentials", 401, "Unauthorized", asked)
        self._wrong = refusal("bad_credentials", 401, "Unauthorized", asked)
        removed = frozenset() if settings.passesOn else frozenset((b"authorization",))
        if settings.userHeader is not None:
            removed |= twins((settings.userHeader,))
        self._removed = removed

    def ask(self, request: Request) -> Verdict:
        """
        See L{Guard<smartproxy_tw.guards.visit.Guard>}.
        """
        shown = request.values("authorization")
        if not shown:
            return self._asking
        found = _read(shown)
        if found is None or not self._hashes:
            return self._wrong
        user, password = found
        hash = self._users.get(user)
        if hash is None:
            # As long as for anybody, and never right.
            number = int.from_bytes(self._verifier.mark(user)[:8], "big")
            mark = self._verifier.mark(b"nobody", user, password)
            stranger = self._hashes[number % len(self._hashes)]
            isTaken = self._verifier.verify(mark, stranger, password, lambda _: request.goOn(self._wrong))
            return WAITING if isTaken else _BUSY
        mark = self._verifier.mark(user, password, hash.encode("ascii"))
        if self._verifier.isRemembered(mark):
            self._admit(request, user)
            return None
        isTaken = self._verifier.verify(mark, hash, password, lambda found: self._found(request, user, found))
        return WAITING if isTaken else _BUSY

    def _found(self, request: Request, user: bytes, answer: Answer) -> None:
        if answer is True:
            self._admit(request, user)
            request.goOn(None)
        elif isinstance(answer, Exception):
            _log.error("A password could not be verified: {reason}", reason=type(answer).__name__)
            request.goOn(BROKEN)
        else:
            request.goOn(self._wrong)

    def _admit(self, request: Request, user: bytes) -> None:
        name = self._settings.userHeader
        lines = b"" if name is None else line(name, user)
        if self._removed or lines:
            request.exchange.amend(Amendment(removed=self._removed, fields=lines))

    def close(self) -> None:
        """
        There is nothing to close.
        """


def _read(shown: list[str]) -> tuple[bytes, bytes] | None:
    """
    User and password.

    @param shown: Values of Authorization.
    @return: L{None} for what is something else.
    """
    scheme, _, rest = shown[0].partition(" ")
    if len(shown) > 1 or scheme.lower() != "basic" or len(rest) > _LONGEST:
        return None
    try:
        user, colon, password = b64decode(rest.strip(" ").encode("ascii"), validate=True).partition(b":")
    except (Error, ValueError):
        return None
    return (user, password) if colon else None
