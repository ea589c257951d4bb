"""
A configuration in YAML, laid out as all of them are: two spaces for each level, lists
indented below their key, no trailing space, one empty line at most.  Whatever people
chose stays: the order, the quotes, the comments, what is written on one line.

The text is written anew by C{ruamel.yaml}, which keeps comments, and is not taken at
its word: it has to read as before by the reader that configurations are read by
(L{smartproxy_tw.config.yamlfile}), to have the same comments in the same order, and to
stay as it is when it is laid out again.  A text of which that cannot be had is left
alone.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import yaml

from .document import Node, plain
from .errors import ConfigError, Problem
from .yamlfile import read

__all__ = ["LayoutMissing", "Unkept", "laidOut"]

#: What is written on one line goes on on the next one after so many characters.
_WIDTH = 110

_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#[^\n]*", re.MULTILINE)
_TRAILING = re.compile(r"[ \t]+(?=\n)")
_EMPTY = re.compile(r"\n(?:[ \t]*\n){2,}")


class LayoutMissing(Exception):
    """
    The library is not installed.  The text says how to have it.
    """


class Unkept(Exception):
    """
    The text cannot be laid out without a loss.  Its message is the end of a sentence
    that begins with the file.
    """


def laidOut(text: str, file: str) -> str:
    """
    Lay a text out.

    @param text: The whole of it.
    @param file: What to call it.
    @return: The same where it is as it should be.
    @raise ConfigError: It is no YAML.
    @raise LayoutMissing: See there.
    @raise Unkept: Likewise.
    """
    before = _meaning(text, file)
    # A line break is one, however it is written (YAML 1.2 section 5.4).
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if before is None:
        # Nothing but comments, and no structure that they could belong to.
        return _tidy(text)
    after = _aligned(text, _written(text))
    try:
        isSame = _meaning(after, file) == before
    except ConfigError:
        isSame = False
    if not isSame:
        raise Unkept("would mean something else if it were laid out")
    if _comments(after) != _comments(text):
        raise Unkept("would lose a comment, or have it elsewhere, if it were laid out")
    if _aligned(after, _written(after)) != after:
        raise Unkept("cannot be laid out once and for all")
    return after


def _meaning(text: str, file: str) -> object:
    problems: list[Problem] = []
    root: Node | None = read(text, file, problems)
    if problems:
        raise ConfigError(problems)
    return None if root is None else (plain(root), _types(root))


def _types(node: Node) -> object:
    """
    What is equal and not the same: 1 and true, 1 and 1.0.
    """
    if isinstance(node.value, dict):
        # The order decides among routes, sites and fields.
        return [(key, _types(child)) for key, child in node.value.items()]
    if isinstance(node.value, list):
        return [_types(child) for child in node.value]
    return type(node.value)


def _written(text: str) -> str:
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError
    except ImportError as why:
        raise LayoutMissing(
            "smartproxy fmt needs the library ruamel.yaml: pip install 'smartproxy_tw[fmt]'"
        ) from why
    writer = YAML(typ="rt", pure=True)
    writer.preserve_quotes = True
    writer.width = _WIDTH
    # [{a: 1}] is not to become [a: 1].
    writer.brace_single_entry_mapping_in_flow_sequence = True
    writer.indent(mapping=2, sequence=4, offset=2)
    written = io.StringIO()
    try:
        document = writer.load(text)
        _keepAnchors(document)
        writer.dump(document, written)
    except (YAMLError, RecursionError, ValueError, TypeError, AttributeError) as why:
        raise Unkept(f"is YAML that the formatter does not understand ({type(why).__name__})") from why
    return _tidy(written.getvalue())


def _keepAnchors(part: Any) -> None:
    """
    Also those that nobody refers to.
    """
    anchored = getattr(part, "yaml_anchor", None)
    anchor = anchored() if anchored is not None else None
    if anchor is not None:
        anchor.always_dump = True
    if isinstance(part, dict):
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            _keepAnchors(each)


def _tidy(text: str) -> str:
    """
    No space at the end of lines and no two empty lines, but within texts of several
    lines, where they belong to what is meant.
    """
    parts: list[str] = []
    at = 0
    for start, end in _scalars(text):
        parts += [_tidied(text[at:start]), text[start:end]]
        at = end
    parts.append(_tidied(text[at:]))
    found = "".join(parts).strip("\n")
    return f"{found}\n" if found.strip() else ""


def _tidied(between: str) -> str:
    return _EMPTY.sub("\n\n", _TRAILING.sub("", between))


def _aligned(before: str, after: str) -> str:
    """
    Comments that stood above a line, as far in as that was, stand so again.

    @param before: How it was.
    @param after: The same with other indentation.
    """
    wanted = [isAbove for _, isAbove in _lonely(before)]
    found = _lonely(after)
    if len(wanted) != len(found):
        return after
    lines = after.split("\n")
    below = _indentations(_masked(after))
    for (number, _), isAbove in zip(found, wanted, strict=True):
        if isAbove:
            lines[number] = " " * below[number] + lines[number].lstrip()
    return "\n".join(lines)


def _lonely(text: str) -> list[tuple[int, bool]]:
    """
    The lines that are comments, and of each whether it is as far in as the next line
    that is none.
    """
    lines = _masked(text)
    below = _indentations(lines)
    return [
        (number, len(line) - len(line.lstrip()) == below[number])
        for number, line in enumerate(lines)
        if line.lstrip().startswith("#")
    ]


def _indentations(lines: list[str]) -> list[int]:
    """
    For each line, how far in the next one is that is neither empty nor a comment; -1
    after the last of these.
    """
    found: list[int] = []
    below = -1
    for line in reversed(lines):
        found.append(below)
        bare = line.lstrip()
        if bare and not bare.startswith("#"):
            below = len(line) - len(bare)
    return found[::-1]


def _masked(text: str) -> list[str]:
    """
    The lines, with nothing in scalars that looks like anything else.
    """
    parts: list[str] = []
    at = 0
    for start, end in _scalars(text):
        parts += [text[at:start], re.sub(r"[^\n]", "x", text[start:end])]
        at = end
    return "".join([*parts, text[at:]]).split("\n")


def _scalars(text: str) -> Iterator[tuple[int, int]]:
    """
    Where the scalars are.
    """
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.ScalarToken):
                yield token.start_mark.index, token.end_mark.index
    except yaml.YAMLError as why:
        raise Unkept("is YAML that the formatter does not understand") from why


def _comments(text: str) -> list[str]:
    """
    The comments, without what is around them.
    """
    bare: list[str] = []
    at = 0
    for start, end in _scalars(text):
        scalar = text[start:end]
        # A comment may stand behind the sign of a text of several lines.
        head, newline, _ = scalar.partition("\n") if scalar[:1] in ("|", ">") else ("", "", "")
        bare += [text[at:start], head, newline or "_"]
        at = end
    bare.append(text[at:])
    return [each.rstrip() for each in _COMMENT.findall("".join(bare))]
