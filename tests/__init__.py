"""
The tests.
"""

from __future__ import annotations

import gc

# Each full collection of garbage looks at all modules of a run, and a tenth of the time went into
# them: with the usual threshold of 700, what one test leaves outlives its youth.
gc.set_threshold(20_000)
