"""
The tests, and what makes a run of them quick.  Processes that only borrow from here, such as those
that measure something, are left as they are.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping


def _forgotten(modules: Mapping[str, object]) -> None:
    pass


def _kept(descriptor: int) -> None:
    os.fstat(descriptor)


if "twisted.trial" in sys.modules:
    from twisted.trial import _synctest

    # Before each test trial has every module forget the warnings that it has given, by a walk over
    # some thousand modules: a twelfth of the run.  Python has them forgotten by itself as soon as a
    # filter of warnings is added, which is what trial does next.
    _synctest._setWarningRegistryToNone = _forgotten
    # Each full collection of garbage looks at all modules of a run, and a tenth of the time went
    # into them: with the usual threshold of 700, what one test leaves outlives its youth.
    gc.set_threshold(50_000)
    # Nobody pulls the plug on a test: what is forced to the disk, and in which order, is shown with
    # fakes, and a disk that takes its time made a sixth of the run.
    os.fsync = _kept
