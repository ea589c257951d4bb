"""
What is wrong with a configuration, for the operator who has to mend it.

Reading a configuration ends with a L{Config<smartproxy_tw.config.model.Config>}
or with one L{ConfigError} that holds every problem that was found, each with its
place.  A message says what is wrong and what to do; it never quotes the contents
of another file or of an environment variable.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..values import dataclass

__all__ = ["MOST_SHOWN", "ConfigError", "Problem"]

#: A mistake in a template may come back ten thousand times: more lines than these
#: push those off the screen that tell what it is.
MOST_SHOWN = 50

_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_ESCAPES |= {0x2028: "\\u2028", 0x2029: "\\u2029", 10: "\\n", 13: "\\r", 9: "\\t"}
_ESCAPES |= {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def _oneLine(text: str) -> str:
    """
    The text with everything escaped that could break or disguise a line.
    """
    return text.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One mistake.

    @ivar file: The file as it was named to us; empty when the command line is
        meant.
    @ivar line: Counted from 1; 0 when the mistake has no line.
    @ivar column: In characters, counted from 1; 0 when there is none.
    @ivar path: The option, for instance C{routes[0].match.ports}, or C{--site};
        empty when the file as a whole is meant.
    @ivar message: What is wrong with it and what to do.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        """
        One line: C{file:line:column: path: message}, without what is unknown.
        """
        place = self.file
        if place and self.line:
            place += f":{self.line}:{self.column}" if self.column else f":{self.line}"
        return _oneLine(": ".join(part for part in (place, self.path, self.message) if part))


class ConfigError(Exception):
    """
    A configuration that cannot be used.

    @ivar problems: All that is wrong with it, in the order of the text; at
        least one.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        """
        @param problems: At least one.
        """
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        """
        One line for each problem, up to L{MOST_SHOWN}; then how many more there
        are.
        """
        lines = [str(each) for each in self.problems[:MOST_SHOWN]]
        if len(self.problems) > MOST_SHOWN:
            lines.append(f"... and {len(self.problems) - MOST_SHOWN} more problems; mend these first")
        return "\n".join(lines)
