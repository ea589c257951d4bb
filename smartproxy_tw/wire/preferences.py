"""
What a client likes: the fields Accept-Encoding (RFC 9110 section 12.5.3) and Accept (section
12.5.1), held against what there is.

A weight that is none counts as 0, so that nobody gets what it may not be able to read; the
rest of such a field counts as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

__all__ = ["chooseCoding", "chooseType", "preferred", "weights"]

_QUOTED = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
_ITEM = re.compile(rf'((?:[^",;]|{_QUOTED})*+)((?:;(?:[^",]|{_QUOTED})*+)?+)(?:,|\Z)', re.DOTALL)
_WEIGHT = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\Z")
#: So many items are read, and so many parameters of each.
_MOST = 64


def weights(text: str) -> dict[str, float]:
    """
    The items of such a field and their weights.

    @param text: Its value; where it came several times, all of them with commas between.
    @return: Items in lower case, without parameters; the weight is the highest one where an item is
        there twice.
    """
    found: dict[str, float] = {}
    for match in islice(_ITEM.finditer(text), _MOST):
        item, parameters = match.groups()
        name = item.strip(" \t").lower()
        if name:
            found[name] = max(found.get(name, 0.0), _weight(parameters))
    return found


def _weight(parameters: str) -> float:
    _, *more = parameters.split(";", _MOST)
    if len(more) == _MOST:
        return 0.0
    for each in more:
        name, _, value = each.partition("=")
        if name.strip(" \t").lower() == "q":
            value = value.strip(" \t")
            return float(value) if _WEIGHT.match(value) else 0.0
    return 1.0


def preferred(text: str | None, offered: Sequence[str]) -> tuple[str, ...]:
    """
    @param text: Accept-Encoding; L{None}: it did not come.
    @param offered: Codings, in the order that decides among equals.
    @return: Those that are liked no less than none (identity), the best one first.
    """
    if not text:
        return ()
    known = weights(text)
    if "x-gzip" in known:
        known.setdefault("gzip", known["x-gzip"])
    others = known.get("*", 0.0)
    # That it is not named says nothing against it, and nothing for it (section 12.5.3, rule 2).
    plain = known.get("identity", 0.0)
    found = [(known.get(each, others), each) for each in offered]
    taken = [each for each in found if each[0] > 0 and each[0] >= plain]
    return tuple(each for _, each in sorted(taken, key=lambda weighed: -weighed[0]))


def chooseCoding(text: str | None, offered: Sequence[str]) -> str | None:
    """
    @param text: As for L{preferred}.
    @param offered: Likewise.
    @return: The first of L{preferred}; L{None}: none is to be used.
    """
    return next(iter(preferred(text, offered)), None)


def chooseType(text: str | None, offered: Sequence[str]) -> int:
    """
    @param text: Accept; L{None}: it did not come.
    @param offered: Media types in lower case, without parameters, the preferred one first.
    @return: The place of the one that is liked best; of several the first.  0 where none is liked.
    """
    if not text:
        return 0
    known = weights(text)
    best, chosen = 0.0, 0
    for place, kind in enumerate(offered):
        general = kind.partition("/")[0] + "/*"
        weight = next((known[each] for each in (kind, general, "*/*") if each in known), 0.0)
        if weight > best:
            best, chosen = weight, place
    return chosen
