"""
What goes upstream when somebody wants something else to go there than what came.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..wire.http1 import likened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..facts import Amendment
    from .door import Prepared

__all__ = ["amendedFields", "amendedHead"]

_LINE = re.compile(rb"(?m)^([^:\r\n]++):[^\r\n]*+\r\n")
_HOST = re.compile(rb"(?im)^host:[^\r\n]*+\r\n")
# What says where a body ends, or for whom the request is, is not to be taken away.
_KEPT = frozenset((b"host", b"content-length", b"transfer-encoding"))


def amendedHead(prepared: Prepared, amendments: Sequence[Amendment]) -> bytes:
    """
    @param prepared: What came.
    @param amendments: In the order in which they were made.
    @return: In place of L{Prepared.head<smartproxy_tw.plane.door.Prepared.head>}.
    """
    fields = prepared.request.fields
    line, head = prepared.head.split(b"\r\n", 1)
    own = head[len(fields) :]
    for each in amendments:
        if each.target is not None:
            method, _, version = line.split(b" ")
            line = b"%b %b %b" % (method, each.target, version)
    return line + b"\r\n" + amendedFields(fields, amendments) + own


def amendedFields(fields: bytes, amendments: Sequence[Amendment]) -> bytes:
    """
    @param fields: Whole lines, as they came.
    @param amendments: In the order in which they were made.
    @return: Those that go on.
    """
    for each in amendments:
        if each.removed:
            fields = _without(fields, each.removed)
        if each.host is not None:
            # First, as RFC 9110 section 7.2 has it.
            fields = b"Host: " + each.host + b"\r\n" + _HOST.sub(b"", fields)
        fields += each.fields
    return fields


def _without(fields: bytes, names: frozenset[bytes]) -> bytes:
    """
    Those go that an application could take for them, too.
    """
    gone = {likened(name) for name in names} - _KEPT
    return _LINE.sub(lambda found: b"" if likened(found[1]) in gone else found[0], fields)
