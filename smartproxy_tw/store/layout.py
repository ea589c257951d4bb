"""
How the state directory is laid out, as a number in its file C{layout}: an older
layout is brought up to ours, a newer one is left alone.

What is laid out otherwise than a release expects would be taken for nothing: keys
and accounts would be made anew beside the old ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.logger import Logger

from .directory import SecureDirectory, StateError

__all__ = ["STEPS", "Step", "bringUp"]

_NAME = "layout"

#: Brings a directory from one layout to the next.  It may have been interrupted
#: before, and is begun anew then.
Step = Callable[[SecureDirectory], object]


def _same(directory: SecureDirectory) -> None:
    """
    Directories from before there were numbers are laid out as number 1 is.
    """


#: From layout 0 to 1, from 1 to 2, and so on; the last one leads to ours.
STEPS: tuple[Step, ...] = (_same,)

_log = Logger()


def bringUp(directory: SecureDirectory, steps: Sequence[Step] = STEPS) -> None:
    """
    See that a directory has the layout of this release.

    That the number cannot be written, for a full disk, is no reason not to
    start: the next start goes the same way again.

    @param directory: The state directory, open and locked.
    @param steps: All there are, see L{STEPS}.
    @raise StateError: The layout is newer, or what the file says makes no
        sense, or it could not be brought up; the text says what to do.
    """
    found = _number(directory)
    if found > len(steps):
        raise StateError(
            f"The state directory {directory.path} has layout {found}, which a newer release made; this one"
            f" knows layouts up to {len(steps)}. Run the newer release, or put back a copy of the directory"
            " from before it, or name another with state_dir. Nothing was changed."
        )
    for number, step in enumerate(steps[found:], found):
        try:
            step(directory)
        except OSError as why:
            raise StateError(
                f"The state directory {directory.path} could not be brought from layout {number} to"
                f" {number + 1}: {why}. Mend that and start again: it is gone on with from there."
            ) from why
        _note(directory, number + 1)


def _number(directory: SecureDirectory) -> int:
    path = directory.pathOf(_NAME)
    try:
        content = directory.read(_NAME)
    except OSError as why:
        raise StateError(f"{path} cannot be read: {why.strerror}. Mend the state directory.") from why
    if content is None:
        return 0
    text = content.strip()
    if not (text.isdigit() and len(text) < 6):
        raise StateError(
            f"{path} should hold the number of the directory's layout, and holds {content[:32]!r}."
            f" If no newer release has used the directory, write {len(STEPS)} into it."
        )
    return int(text)


def _note(directory: SecureDirectory, number: int) -> None:
    try:
        directory.write(_NAME, b"%d\n" % number)
    except OSError as why:
        _log.warn(
            "{path} could not be written, the next start tries it again: {why}",
            event="layout-unsaved",
            path=directory.pathOf(_NAME),
            why=str(why),
        )
