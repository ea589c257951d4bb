"""
The process that reads a configuration for one that serves::

    python -m smartproxy_tw.service.reading FILE

It writes what it has come to in a form that only
L{readAside<smartproxy_tw.service.reader.readAside>} understands.  Nothing here imports
Twisted: that would be a third of all that it does.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys

from ..config.errors import ConfigError
from ..config.loading import load
from ..control.packing import packed
from ..control.state import UseTable

__all__ = ["CONFIG", "PROBLEMS", "RESULT", "main"]

#: The descriptor that is written to.
RESULT = 3

#: What is written first: what it means follows, or what is wrong with it.
CONFIG, PROBLEMS = b"c", b"p"


def main(path: str, descriptor: int = RESULT) -> None:
    """
    Be that process.

    @param path: Of the file.
    @param descriptor: Where to write to.
    """
    try:
        result = CONFIG + packed((UseTable(load(path)),))
    except ConfigError as why:
        result = PROBLEMS + pickle.dumps(why.problems)
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(result)


if __name__ == "__main__":
    gc.disable()
    main(sys.argv[1])
