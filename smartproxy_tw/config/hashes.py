"""
Hashes of passwords as they may be written: argon2 (RFC 9106, in the PHC string format) and
bcrypt.

What is weak today (C{crypt}, MD5, SHA-1, clear text), as old C{htpasswd} files have it, is
none of them.  Neither is one that would take so long that a few logins keep the machine
busy.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Literal

__all__ = ["kindOf", "missingFor", "usersIn"]

_ARGON2 = re.compile(
    r"\$argon2(?:id|i|d)\$v=19\$m=([0-9]+),t=([0-9]+),p=([0-9]+)\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{16,}"
)
_BCRYPT = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")

#: Of argon2, in KiB and in passes; and of bcrypt, as powers of two.
_MEMORY, _PASSES, _COST = 1 << 20, 64, 16

_LIBRARIES = {"argon2": ("argon2", "argon2-cffi"), "bcrypt": ("bcrypt", "bcrypt")}


def kindOf(text: str) -> Literal["argon2", "bcrypt"]:
    """
    Which kind a hash is of.

    @raise ValueError: It is none that is taken; the message is the end of a sentence, and has
        nothing of the hash.
    """
    found = _ARGON2.fullmatch(text)
    if found is not None:
        if int(found[1]) > _MEMORY or int(found[2]) > _PASSES:
            raise ValueError(f"takes more than {_MEMORY >> 10} MiB or {_PASSES} passes: make a cheaper one")
        return "argon2"
    found = _BCRYPT.fullmatch(text)
    if found is not None:
        if not 4 <= int(found[1]) <= _COST:
            raise ValueError(f"has a cost that is not between 4 and {_COST}: make another one")
        return "bcrypt"
    raise ValueError(
        "is no hash by argon2 or bcrypt: make one with 'htpasswd -nB NAME' or 'argon2 SALT -id -e'"
    )


def missingFor(kind: Literal["argon2", "bcrypt"]) -> str | None:
    """
    The library that is needed for a kind and is not there.
    """
    module, name = _LIBRARIES[kind]
    return name if find_spec(module) is None else None


def usersIn(text: str) -> tuple[tuple[str, str], ...]:
    """
    Read a file of users.

    @param text: With a line C{NAME:HASH} for each; empty lines and those that begin with
        C{#} mean nothing.
    @return: Names and hashes.
    @raise ValueError: A line is none, or a name is there twice; the message has the number of the
        line, and nothing of a hash.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, colon, rest = line.partition(":")
        if not colon or not name:
            raise ValueError(f"has no NAME:HASH in line {number}")
        # What stands after a further colon is a remark.
        hash = rest.partition(":")[0]
        try:
            kindOf(hash)
        except ValueError as why:
            raise ValueError(f"has a password in line {number} that {why}") from None
        if name in found:
            raise ValueError(f"has {name} twice, in line {number} again")
        found[name] = hash
    if not found:
        raise ValueError("has no user in it")
    return tuple(found.items())
