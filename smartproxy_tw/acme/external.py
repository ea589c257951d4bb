"""
What binds a new account to one that an authority knows already (RFC 8555 section
7.3.4), out of the configuration.

The key is a secret: it is read when an account is registered, and kept nowhere.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from ..config.texts import macKey
from ..values import dataclass
from .errors import ExternalAccountUnusable

if TYPE_CHECKING:
    from ..config.model import Authority

__all__ = ["ExternalKey", "readExternalKey"]


@dataclass(frozen=True, slots=True)
class ExternalKey:
    """
    A MAC key that both sides know.

    @ivar identifier: What the authority calls it.
    @ivar key: The secret.
    """

    identifier: str
    key: bytes = field(repr=False)


def readExternalKey(settings: Authority) -> ExternalKey | None:
    """
    Get the key that is configured for an authority.

    @return: L{None} where none is.
    @raise ExternalAccountUnusable: It cannot be read, or is none.
    """
    external = settings.external
    if external is None:
        return None
    text, where = external.hmacKey or "", "the key"
    if external.hmacKeyFile is not None:
        where = f"the key in {external.hmacKeyFile}"
        try:
            with open(external.hmacKeyFile, encoding="ascii", errors="replace") as file:
                text = file.read()
        except OSError as why:
            raise ExternalAccountUnusable(settings.directory, f"{where} cannot be read ({why})") from why
    try:
        return ExternalKey(external.keyID, macKey(text))
    except ValueError as why:
        raise ExternalAccountUnusable(settings.directory, f"{where} {why}") from None
