"""
YAML text to a tree with places.

The text is taken event by event, so that no depth of nesting can exhaust the
stack and no aliases can multiply beyond a bound.  Scalars mean what the core
schema of YAML 1.2 (section 10.3) says: C{on}, C{no}, C{22:22} and C{1_000} are
text, C{0o17} is a number.  A key given twice is a mistake.  Merge keys (C{<<})
work as in YAML 1.1, since people bring them along: what a mapping says itself
wins over what it merges.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Any

import yaml

from ..values import dataclass
from .document import MAX_DEPTH, MAX_NODES, Mark, Node, readable
from .errors import Problem

__all__ = ["read"]

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("null", "Null", "NULL", "~", "")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + word: float(f"{sign}inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
#: In turn: decimal, octal, hexadecimal, with a fraction.
_NUMBER = re.compile(
    r"(?:([-+]?[0-9]+)|0o([0-7]+)|0x([0-9a-fA-F]+)|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)\Z"
)
_BASES = (10, 8, 16)

#: What YAML 1.2 (section 5.1) has no place for.  To compile this takes longer than to read a small file.
_FORBIDDEN = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"

_CORE = "tag:yaml.org,2002:"
#: More digits than this are not a number that any option could take.
_MAX_DIGITS = 400


class _Broken(Exception):
    """
    The rest of the text cannot be understood.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


def _scalar(text: str) -> Any:
    """
    What a plain scalar means in the core schema.

    @raise ValueError: It is a number beyond all sense.
    """
    if text in _WORDS:
        return _WORDS[text]
    number = _NUMBER.match(text)
    if number is None:
        return text
    if number.lastindex is None:
        return float(text)
    return _integer(number[number.lastindex], _BASES[number.lastindex - 1])


def _integer(digits: str, base: int) -> int:
    """
    @raise ValueError: There are too many digits.
    """
    if len(digits) > _MAX_DIGITS:
        raise ValueError("has too many digits")
    return int(digits, base)


@dataclass(slots=True)
class _Anchored:
    """
    A part that an alias may name.

    @ivar node: The part, or L{None} until it is complete.
    @ivar weight: How many parts it has, itself included, aliases written out.
    @ivar height: How deeply it nests.
    """

    node: Node | None = None
    weight: int = 0
    height: int = 0


@dataclass(slots=True)
class _Frame:
    """
    A list or mapping that is not complete yet.

    @ivar key: For a mapping, the key whose value comes next.
    @ivar keyMark: Where that key stands.
    @ivar wantsKey: For a mapping, whether a key comes next.
    @ivar merges: What C{<<} named, in order.
    """

    node: Node
    anchor: str | None
    wantsKey: bool
    key: str | None = None
    keyMark: Mark | None = None
    isMerge: bool = False
    merges: list[Node] = field(default_factory=list)
    weight: int = 1
    height: int = 1


class _Composer:
    """
    Builds the tree from events.
    """

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self._file = file
        self._problems = problems
        self._frames: list[_Frame] = []
        self._anchors: dict[str, _Anchored] = {}
        self._total = 0
        self._documents = 0
        self.root: Node | None = None

    def take(self, event: yaml.Event) -> None:
        """
        Go on by one event.

        @raise _Broken: The rest cannot be understood.
        """
        start = event.start_mark
        mark = Mark(self._file, start.line + 1, start.column + 1) if start else Mark(self._file)
        if isinstance(event, yaml.ScalarEvent):
            self._takeScalar(event, mark)
        elif isinstance(event, yaml.AliasEvent):
            self._takeAlias(event.anchor or "", mark)
        elif isinstance(event, yaml.MappingStartEvent):
            self._checkTag(event.tag, "map", mark)
            self._begin(_Frame(Node({}, mark), event.anchor, wantsKey=True))
        elif isinstance(event, yaml.SequenceStartEvent):
            self._checkTag(event.tag, "seq", mark)
            self._begin(_Frame(Node([], mark), event.anchor, wantsKey=False))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _Broken(mark.problem("", "a second document begins here (---): only one is read"))

    def _takeScalar(self, event: yaml.ScalarEvent, mark: Mark) -> None:
        value: Any = event.value
        isPlain = event.implicit[0] and not event.style
        frame = self._frames[-1] if self._frames else None
        if frame is not None and frame.wantsKey:
            # A key is its text, whatever else it could mean.
            frame.isMerge = isPlain and value == "<<"
        else:
            try:
                value = self._resolve(value, event.tag, isPlain, mark)
            except ValueError as why:
                self._problems.append(mark.problem("", f"the number that begins here {why}"))
                value = 0
        self._anchor(event.anchor, Node(value, mark), 1, 0)
        self._deliver(Node(value, mark), 1, 0)

    def _resolve(self, text: str, tag: str | None, isPlain: bool, mark: Mark) -> Any:
        """
        @raise ValueError: It is a number beyond all sense.
        """
        if tag is None or tag == "!":
            return _scalar(text) if isPlain and tag is None else text
        if tag == _CORE + "str":
            return text
        value = _scalar(text)
        kinds = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}
        kind: Any = kinds.get(tag.removeprefix(_CORE)) if tag.startswith(_CORE) else None
        if kind is None or not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self._checkTag(tag, "", mark)
        return value

    def _checkTag(self, tag: str | None, kind: str, mark: Mark) -> None:
        if tag in (None, "!", _CORE + kind):
            return
        short = str(tag).replace(_CORE, "!!")
        message = f"the tag {short} does not fit or is not known here: leave it out"
        self._problems.append(mark.problem("", message))

    def _takeAlias(self, name: str, mark: Mark) -> None:
        anchored = self._anchors.get(name)
        if anchored is None:
            raise _Broken(
                mark.problem("", f"the alias *{name} names an anchor that does not exist before it")
            )
        if anchored.node is None:
            raise _Broken(mark.problem("", f"the alias *{name} stands inside of what it names"))
        node = anchored.node
        if not isinstance(node.value, (dict, list)):
            node = Node(node.value, mark)
        self._deliver(node, anchored.weight, anchored.height)

    def _begin(self, frame: _Frame) -> None:
        mark = frame.node.mark
        if len(self._frames) >= MAX_DEPTH:
            raise _Broken(mark.problem("", f"lists and mappings nest more than {MAX_DEPTH} deep here"))
        if self._frames and self._frames[-1].wantsKey:
            raise _Broken(mark.problem("", "a key has to be text, not a list or a mapping"))
        if frame.anchor is not None:
            self._anchors[frame.anchor] = _Anchored()
        self._frames.append(frame)

    def _end(self) -> None:
        frame = self._frames.pop()
        for source in frame.merges:
            for key, child in source.value.items():
                if key not in frame.node.value:
                    frame.node.value[key] = child
                    frame.node.keys[key] = source.keys[key]
        self._anchor(frame.anchor, frame.node, frame.weight, frame.height)
        self._deliver(frame.node, frame.weight, frame.height)

    def _anchor(self, name: str | None, node: Node, weight: int, height: int) -> None:
        if name is not None:
            self._anchors[name] = _Anchored(node, weight, height)

    def _deliver(self, node: Node, weight: int, height: int) -> None:
        """
        A part is complete: give it to what it is a part of.
        """
        if not self._frames:
            self.root = node
            return
        frame = self._frames[-1]
        frame.weight += weight
        frame.height = max(frame.height, height + 1)
        self._total = max(self._total + 1, frame.weight)
        if self._total > MAX_NODES or len(self._frames) + height > MAX_DEPTH:
            raise _Broken(node.mark.problem("", "lists, mappings and aliases grow beyond all bounds here"))
        if isinstance(frame.node.value, list):
            frame.node.value.append(node)
        elif frame.wantsKey:
            self._takeKey(frame, node)
        elif frame.isMerge:
            self._takeMerge(frame, node)
        else:
            self._takeValue(frame, node)

    def _takeKey(self, frame: _Frame, node: Node) -> None:
        if not isinstance(node.value, str):
            raise _Broken(node.mark.problem("", "a key has to be text"))
        frame.key, frame.keyMark, frame.wantsKey = node.value, node.mark, False

    def _takeMerge(self, frame: _Frame, node: Node) -> None:
        sources = node.value if isinstance(node.value, list) else [node]
        frame.wantsKey, frame.isMerge = True, False
        if all(isinstance(source.value, dict) for source in sources):
            frame.merges.extend(sources)
        else:
            message = "<< takes a mapping, or a list of mappings, most often an alias"
            self._problems.append(node.mark.problem("", message))

    def _path(self) -> str:
        """
        The way to the part that is being read.
        """
        parts: list[str | int] = []
        for frame in self._frames:
            parts.append(len(frame.node.value) if frame.key is None else frame.key)
        return readable(parts)

    def _takeValue(self, frame: _Frame, node: Node) -> None:
        key, mark = frame.key, frame.keyMark
        assert key is not None and mark is not None
        frame.wantsKey = True
        if key in frame.node.value:
            first = frame.node.keys[key].line
            self._problems.append(mark.problem(self._path(), f"is given twice: first in line {first}"))
        else:
            frame.node.value[key] = node
            frame.node.keys[key] = mark


def _syntax(why: yaml.YAMLError, text: str, file: str) -> Problem:
    """
    What the parser had to say, with its place.
    """
    if isinstance(why, yaml.MarkedYAMLError):
        place = why.problem_mark or why.context_mark
        said = ", ".join(part for part in (why.context, why.problem) if part) or "cannot be understood"
        if "cannot start any token" in said:
            said += " (a tab? indent with spaces)"
        elif "expected alphabetic or numeric character" in said:
            # *.shop.example, which YAML takes for the name of something that was said before.
            said += " (what begins with * or & stands in quotes)"
        if place is not None:
            return Mark(file, place.line + 1, place.column + 1).problem("", f"not valid YAML: {said}")
        return Mark(file).problem("", f"not valid YAML: {said}")
    # The parsers count this position in bytes or in characters, so look again.
    found = re.search(_FORBIDDEN, text)
    at = found.start() if found is not None else 0
    mark = Mark(file, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
    shown = f"the character U+{ord(text[at]):04X}" if found is not None else "a character of it"
    return mark.problem("", f"not valid YAML: {shown} may not stand in it")


def read(text: str, file: str, problems: list[Problem], loader: Any = None) -> Node | None:
    """
    Read a text.

    @param text: The whole of it.
    @param file: For the marks.
    @param problems: What is wrong is added here.
    @param loader: A PyYAML loader whose parser to use; by default libyaml's
        where PyYAML has it.
    @return: The tree; L{None} when the text is empty or cannot be understood.
    """
    composer = _Composer(file, problems)
    loader = loader or getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in yaml.parse(text, Loader=loader):
            composer.take(event)
    except _Broken as why:
        problems.append(why.problem)
        return None
    except yaml.YAMLError as why:
        problems.append(_syntax(why, text, file))
        return None
    return composer.root
