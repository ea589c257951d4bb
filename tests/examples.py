"""
How many examples a property is tried with.

The examples are always the same ones, so a run proves as much as the one before it.  A run
of everything is to take less than a minute: it tries a part of the number that a property
names.  C{SMARTPROXY_TW_EXAMPLES=10} tries ten times the number, which is for the night::

    SMARTPROXY_TW_EXAMPLES=10 python -m twisted.trial tests.wire tests.config
"""

from __future__ import annotations

import os
from contextlib import nullcontext, suppress

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

__all__ = ["anyText", "awkwardText", "examples", "textOf"]

_PART = float(os.environ.get("SMARTPROXY_TW_EXAMPLES", "0.4"))
# Below this a property has hardly left its simplest examples.
_FEWEST = 25

#: ASCII with its control characters, and of the rest what has broken a program somewhere: ends of
#: lines, spaces, digits and stops that are none of ASCII's, letters that change their number with
#: their case, marks that join or turn round, and those at the ends of planes.
_AWKWARD = "".join(map(chr, range(128))) + (
    "\x80\x85\x9b\xa0\xad\xb2\xdf\xe9\xff\u0130\u0131\u017f\u0301\u0660\u200b\u200d\u200e\u202e\u2028\u2029"
    "\u212a\u2460\u3002\ud7ff\ue000\ufeff\uff0e\uff0f\uff11\ufffd\uffff\U0001f600\U000e0001\U0010ffff"
)

# Hypothesis tries numbers and texts that stand in the code, too: of every module that is imported
# and not installed.  In a checkout the examples then are others when other tests ran before, and
# parsing all our modules takes longer than many properties; where the wheel is tested there were
# none of them ever.  A later version may have all this elsewhere, and then only takes longer.
with suppress(ImportError):
    from hypothesis.internal.conjecture.providers import HypothesisProvider
    from hypothesis.internal.constants_ast import Constants

    HypothesisProvider._local_constants = Constants()  # type: ignore[assignment]

# Around each argument of each example it takes two copies of the state of the module L{random}, to
# see that no strategy draws from there, which is for the night as well.
if _PART <= 1:
    with suppress(ImportError):
        from hypothesis import control

        control.deprecate_random_in_strategy = lambda *_: nullcontext()  # type: ignore[assignment]


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


def textOf(letters: str, most: int, least: int = 0) -> st.SearchStrategy[str]:
    """
    Text of some letters, which takes none of those tables, and half the time of a list of letters.

    @param most: In characters.
    @param least: Likewise.
    """
    return st.text(alphabet=letters, min_size=least, max_size=most)


def awkwardText(most: int, least: int = 0) -> st.SearchStrategy[str]:
    """
    Text of letters that mean something to somebody, most of them in ASCII, likewise.

    @param most: In characters.
    @param least: Likewise.
    """
    return textOf(_AWKWARD, most, least)
