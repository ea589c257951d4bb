"""
A JSON object that somebody else wrote, or an earlier release: whatever it is, it is read or refused.
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["objectIn"]


def objectIn(text: bytes | str) -> dict[str, Any]:
    """
    Read it.

    @raise ValueError: It is none.
    """
    try:
        found = json.loads(text)
    except RecursionError as why:
        raise ValueError("it is nested too deeply") from why
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found
