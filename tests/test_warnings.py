"""
Tests for what the package C{tests} changes about trial.
"""

from __future__ import annotations

import warnings

from twisted.trial import _synctest
from twisted.trial.unittest import SynchronousTestCase


def _warns() -> None:
    warnings.warn("so it is", UserWarning, stacklevel=1)


class AgainTests(SynchronousTestCase):
    """
    What one test was warned of the next one is warned of as well.
    """

    def test_again(self) -> None:
        """
        Also where Python has told it already, and would not tell it twice.
        """
        before: list[object] = []
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("default")
            for _ in range(2):
                _warns()
            self.assertEqual(len(told), 1)
            for _ in range(2):
                _synctest._collectWarnings(before.append, _warns)  # type: ignore[no-untyped-call]
        self.assertEqual(len(before), 2)
