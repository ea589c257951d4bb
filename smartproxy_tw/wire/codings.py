"""
Which of the codings that there are a client takes, in the order in which to try them:
Accept-Encoding (RFC 9110 section 12.5.3).
"""

from __future__ import annotations

from collections.abc import Sequence

from .preferences import weights

__all__ = ["preferred"]


def preferred(text: str, codings: Sequence[str]) -> tuple[str, ...]:
    """
    @param text: The value of the field; empty where there was none.
    @param codings: Those that there may be, in the order that decides among equals.
    @return: Those that the client takes rather than none, the best one first.
    """
    if not text:
        return ()
    known = weights(text)
    if "x-gzip" in known:
        known.setdefault("gzip", known["x-gzip"])
    others = known.get("*", 0.0)
    plain = known.get("identity", 0.0)
    found = [(known.get(each, others), each) for each in codings]
    taken = [each for each in found if each[0] > 0 and each[0] >= plain]
    return tuple(each for _, each in sorted(taken, key=lambda weighed: -weighed[0]))
