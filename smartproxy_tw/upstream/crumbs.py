"""
Crumbs are how a client finds back to the target that it had: a cookie with a digest of
that target's name under a secret.

Nobody who has not the secret can make one or learn from it which target it is; it is the
same in every process and after every reload, and nothing is kept for it here.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..config.model import Sticky

__all__ = ["Crumbs"]

#: Of the digest, in bytes: nobody guesses as many, and base64 needs no padding.
_SIZE = 18

#: So that the secret signs nothing else by accident.
_PURPOSE = "smartproxy sticky target"


class Crumbs:
    """
    Those of one group.
    """

    def __init__(self, settings: Sticky, secret: Callable[[], bytes]) -> None:
        """
        @param settings: As configured.
        @param secret: Where there is none there; empty while it is not known, when
            there are no crumbs.
        """
        self._settings = settings
        # A heap of cookies is looked through, and nothing is made of it.
        self._pair = re.compile(rf"(?:\A|;)\s*+{re.escape(settings.cookie)}=([^;]*+)")
        self._secret = secret
        own = settings.secret
        self._own = b"" if own is None else own.encode("utf-8")
        self._known: dict[str, str] = {}
        self._knownBy = b""

    def crumb(self, target: str) -> str:
        """
        @param target: Its name.
        @return: The value of the cookie; empty: there can be none.
        """
        secret = self._own or self._secret()
        if not secret:
            return ""
        if secret != self._knownBy:
            self._known, self._knownBy = {}, secret
        found = self._known.get(target)
        if found is None:
            data = f"{_PURPOSE}\0{self._settings.cookie}\0{target}".encode("utf-8", "surrogateescape")
            digest = hmac.digest(secret, data, "sha256")[:_SIZE]
            found = self._known[target] = urlsafe_b64encode(digest).decode("ascii")
        return found

    def shown(self, fields: Iterable[tuple[str, str]]) -> str:
        """
        What a request has of it.

        @param fields: Of its head, names in lower case.
        @return: The value of the cookie; empty: there is none.
        """
        for field, value in fields:
            if field == "cookie":
                found = self._pair.search(value)
                if found is not None:
                    return found[1].rstrip()
        return ""

    def line(self, target: str, *, isSecure: bool) -> bytes:
        """
        @param target: Its name.
        @param isSecure: Whether the client has come by TLS.
        @return: The header line that tells a client.
        """
        settings = self._settings
        age = "" if settings.maxAge is None else f"; Max-Age={settings.maxAge}"
        secure = "; Secure" if isSecure else ""
        crumb = self.crumb(target)
        return (
            f"Set-Cookie: {settings.cookie}={crumb}; Path=/{age}; HttpOnly; SameSite=Lax{secure}\r\n"
        ).encode("ascii")
