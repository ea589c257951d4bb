"""
What is written down of an order that is under way, so that whoever starts next
can take it up: plain values, and their text.

It holds what the authority does not tell a second time (the key that the
certificate will be for) and what is needed before anybody has asked the
authority (the answers that it may come for at once).  Where the order stands
is not in it: the authority knows that better (L{smartproxy_tw.acme.order.begin}).
"""

from __future__ import annotations

import json
from dataclasses import field
from typing import Any

from ..bounds.objects import objectIn
from ..values import dataclass

__all__ = ["LONGEST", "OPEN", "Answer", "Entry", "decode", "encode"]

#: An order that began longer ago is not taken up any more, in seconds.  An
#: authority that never comes to a decision would be asked about it for ever.
OPEN = 86400.0

#: No entry of ours is longer, in bytes: a hundred names with their answers take
#: a third of it.
LONGEST = 256 * 1024

#: The end of the year 9999, POSIX seconds.  JSON has numbers that no clock tells.
_LAST = 253402300799.0


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What the authority may come for.

    @ivar kind: Of the challenge.
    @ivar name: The identifier being proved.
    @ivar token: Of the challenge.
    @ivar keyAuthorization: What RFC 8555 section 8.1 makes of it and of the
        account's key.
    """

    kind: str
    name: str
    token: str
    keyAuthorization: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One order.

    @ivar directory: The authority's, by URL.
    @ivar names: What the certificate is to be for, as they were asked for.
    @ivar key: The private key that it will be for, as unencrypted PEM.
    @ivar began: When, POSIX seconds.
    @ivar account: Whose order it is, by URL; L{None} before it is known.
    @ivar order: Its URL; L{None} before the authority's answer, and when that
        was lost.
    @ivar answers: What was made ready for the authority.
    """

    directory: str
    names: tuple[str, ...]
    key: bytes = field(repr=False)
    began: float
    account: str | None = None
    order: str | None = None
    answers: tuple[Answer, ...] = ()

    def isOpen(self, now: float) -> bool:
        """
        Whether it is worth going on with.

        @param now: POSIX seconds.  A clock that was set back makes no order
            younger than it can be.
        """
        return abs(now - self.began) < OPEN


def encode(entry: Entry) -> bytes:
    """
    The text of an entry: JSON, which L{decode} reads.
    """
    members = {
        "directory": entry.directory,
        "names": entry.names,
        "key": entry.key.decode("ascii"),
        "began": entry.began,
        "account": entry.account,
        "order": entry.order,
        "answers": [
            {
                "kind": each.kind,
                "name": each.name,
                "token": each.token,
                "key_authorization": each.keyAuthorization,
            }
            for each in entry.answers
        ],
    }
    return json.dumps(members, indent=1).encode("ascii") + b"\n"


def decode(text: bytes) -> Entry:
    """
    Read an entry.

    @raise ValueError: It is none, and what is wrong with it.
    """
    if len(text) > LONGEST:
        raise ValueError(f"it has {len(text)} bytes, and an order needs no more than {LONGEST}")
    members = objectIn(text)
    names = tuple(_text(each, "a name") for each in _list(members, "names"))
    if not names:
        raise ValueError("it is for no name")
    key = _text(members.get("key"), "'key'")
    if "PRIVATE KEY" not in key:
        raise ValueError("'key' is no private key")
    began = members.get("began")
    if isinstance(began, bool) or not isinstance(began, int | float) or not 0 <= began <= _LAST:
        raise ValueError("'began' is no time")
    return Entry(
        directory=_text(members.get("directory"), "'directory'"),
        names=names,
        key=key.encode("ascii"),
        began=float(began),
        account=_url(members, "account"),
        order=_url(members, "order"),
        answers=tuple(_answer(each) for each in _list(members, "answers")),
    )


def _answer(members: Any) -> Answer:
    if not isinstance(members, dict):
        raise ValueError("an answer is no JSON object")
    return Answer(
        kind=_text(members.get("kind"), "the 'kind' of an answer"),
        name=_text(members.get("name"), "the 'name' of an answer"),
        token=_text(members.get("token"), "the 'token' of an answer"),
        keyAuthorization=_text(members.get("key_authorization"), "the 'key_authorization' of an answer"),
    )


def _list(members: dict[str, Any], name: str) -> list[Any]:
    found = members.get(name)
    if not isinstance(found, list):
        raise ValueError(f"{name!r} is no list")
    return found


def _url(members: dict[str, Any], name: str) -> str | None:
    found = members.get(name)
    if found is None:
        return None
    if not _text(found, repr(name)).startswith("https://"):
        raise ValueError(f"{name!r} is no https URL")
    return str(found)


def _text(found: Any, what: str) -> str:
    # RFC 8555 has nothing beyond ASCII in any of them.
    if not isinstance(found, str) or not found or not found.isascii():
        raise ValueError(f"{what} is no ASCII text")
    return found
