"""
C{smartproxy fmt}: configurations laid out as all of them are.

A file is replaced in one moment, with its mode and its owner, or not at all.
"""

from __future__ import annotations

import difflib
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress

from ..config.errors import ConfigError
from ..config.layout import LayoutMissing, Unkept, laidOut

__all__ = ["fmt"]


def fmt(files: Sequence[str], *, isCheck: bool, isDiff: bool) -> bool:
    """
    Lay files out, and tell which ones were not.

    @param files: Their names; C{-}: what comes by standard input, to standard output.
    @param isCheck: Whether to change nothing, and only tell.
    @param isDiff: Whether to tell what is different, and change nothing.
    @return: Whether all of them could be, or, with C{isCheck} or C{isDiff}, are as they
        should be.
    """
    isWell = True
    for file in files:
        try:
            isWell = _one(file, isCheck, isDiff) and isWell
        except LayoutMissing as why:
            return _complain(str(why))
        except ConfigError as why:
            isWell = _complain(str(why))
        except Unkept as why:
            isWell = _complain(f"{file} {why}: it is left as it is")
        except UnicodeDecodeError:
            isWell = _complain(f"{file} is not in UTF-8: it is left as it is")
        except OSError as why:
            isWell = _complain(f"smartproxy fmt: {file}: {why.strerror or why}")
    return isWell


def _one(file: str, isCheck: bool, isDiff: bool) -> bool:
    if file == "-":
        text = sys.stdin.read()
    elif os.path.splitext(file)[1].lower() in (".yaml", ".yml"):
        with open(file, encoding="utf-8", newline="") as opened:
            text = opened.read()
    else:
        return _complain(f"smartproxy fmt: {file}: only YAML is laid out, so the name has to end in .yaml")
    found = laidOut(text, file)
    if isDiff:
        sys.stdout.writelines(
            difflib.unified_diff(
                text.splitlines(keepends=True), found.splitlines(keepends=True), file, f"{file} laid out"
            )
        )
    elif file == "-" and not isCheck:
        sys.stdout.write(found)
        return True
    if isCheck or isDiff:
        if isCheck and found != text:
            print(f"{file} would be laid out anew")
        return found == text
    if found != text:
        _replace(os.path.realpath(file), found)
        print(f"{file} is laid out anew")
    return True


def _replace(path: str, text: str) -> None:
    status = os.stat(path)
    descriptor, temporary = tempfile.mkstemp(prefix=".fmt-", dir=os.path.dirname(path))
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as opened:
            # Nobody else may see what only the owner was to see, not even for a moment.
            os.fchown(opened.fileno(), status.st_uid, status.st_gid)
            os.fchmod(opened.fileno(), status.st_mode & 0o7777)
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _complain(message: str) -> bool:
    print(message, file=sys.stderr)
    return False
