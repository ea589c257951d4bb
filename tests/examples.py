"""
How many examples a property is tried with.

The examples are always the same ones, so a run proves as much as the one before it.  A run
of everything is to take less than a minute: it tries a part of the number that a property
names.  C{SMARTPROXY_TW_EXAMPLES=10} tries ten times the number, which is for the night::

    SMARTPROXY_TW_EXAMPLES=10 python -m twisted.trial tests.wire tests.config
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

__all__ = ["anyText", "examples"]

_PART = float(os.environ.get("SMARTPROXY_TW_EXAMPLES", "0.4"))
# Below this a property has hardly left its simplest examples.
_FEWEST = 25


def examples(count: int = 100) -> settings:
    """
    Settings for a property: a decorator.

    @param count: How many examples are worth it in a whole trial of it.
    """
    slow = [HealthCheck.too_slow] if _PART > 1 else []
    return settings(
        derandomize=True,
        deadline=None,
        max_examples=max(_FEWEST, round(count * _PART)),
        suppress_health_check=slow,
    )


def anyText(most: int) -> st.SearchStrategy[str]:
    """
    Any text: drawn from bytes, since the tables that L{st.text} draws from take seconds to make.

    @param most: In characters.
    """
    return st.binary(max_size=2 * most).map(lambda data: data.decode("utf-16-le", "replace"))
