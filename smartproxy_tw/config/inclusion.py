"""
The files of one configuration, gathered into one tree.

C{include} names further files.  Their routes and sites are added after those of
the file that names them; any other setting may stand in one of the files only.
Every part keeps the mark of the file that it stands in.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Mapping
from typing import Any

from . import environment
from .document import Mark, Node, camel
from .errors import Problem

__all__ = ["FORMATS", "MAX_BYTES", "Gatherer", "formatOf"]

#: What the ending of a file says.
FORMATS = {".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json"}
#: A larger file is no configuration.
MAX_BYTES = 32 * 1024 * 1024


def formatOf(path: str) -> str:
    """
    How a file is written.

    @param path: Its name.
    @return: C{"yaml"}, C{"toml"} or C{"json"}.
    @raise ValueError: Its ending says nothing.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in FORMATS:
        raise ValueError(f"its name has to end in {', '.join(FORMATS)}, which says how it is written")
    return FORMATS[ending]


def _read(text: str, form: str, file: str, problems: list[Problem]) -> Node | None:
    """
    Read a text of one of the formats.
    """
    if form == "yaml":
        from . import yamlfile

        return yamlfile.read(text, file, problems)
    if form == "json":
        from . import jsonfile

        return jsonfile.read(text, file, problems)
    from . import tomlfile

    return tomlfile.read(text, file, problems)


def _contents(path: str) -> bytes:
    """
    @raise OSError: The file cannot be read.
    @raise ValueError: It is no file, or far too large.
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise ValueError("is not a regular file")
        found = opened.read(MAX_BYTES + 1)
    if len(found) > MAX_BYTES:
        raise ValueError(f"has more than {MAX_BYTES // 2**20} MiB: that is no configuration")
    return found


class Gatherer:
    """
    Gathers the files of one configuration.

    @ivar root: The tree; L{None} until something was read.
    @ivar problems: What is wrong.
    @ivar directories: For each file, by the name in its marks, the directory
        that relative paths in it count from.
    @ivar patterns: What with wildcards was included: absolute, as L{glob} has it.
    @ivar unmatched: Those of them that nothing matches, as they were written, with their places.
    @ivar routeNumbers: For each route of the tree its number in its own file.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        """
        @param environ: For C{${NAME}}.
        """
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self.directories: dict[str, str] = {}
        self.patterns: list[str] = []
        self.unmatched: list[tuple[str, Mark]] = []
        self.routeNumbers: list[int] = []
        self._environ = environ
        self._seen: set[str] = set()

    def file(self, path: str, mark: Mark | None = None) -> None:
        """
        Add a file.

        @param path: As somebody named it.
        @param mark: Where it was named, if in another file.
        """
        try:
            text = self._text(path)
            form = formatOf(path)
        except (OSError, ValueError) as why:
            reason = why.strerror or str(why) if isinstance(why, OSError) else str(why)
            if mark is None:
                self.problems.append(Mark(path).problem("", f"cannot be read: {reason}"))
            else:
                self.problems.append(mark.problem("include", f"{path} cannot be read: {reason}"))
            return
        if text is None:
            return
        real = os.path.realpath(path)
        if real in self._seen:
            where = mark or Mark(path)
            message = f"{path} is part of the configuration already: name each file once, in no circle"
            self.problems.append(where.problem("include", message))
            return
        self._seen.add(real)
        self.text(text, form, path, os.path.dirname(os.path.abspath(path)), os.path.dirname(path))

    def _text(self, path: str) -> str | None:
        """
        @raise OSError: The file cannot be read.
        @raise ValueError: It is no file that could be meant.
        """
        formatOf(path)
        found = _contents(path)
        try:
            return found.decode("utf-8-sig")
        except UnicodeDecodeError as why:
            before = found[: why.start]
            column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
            mark = Mark(path, before.count(b"\n") + 1, column)
            self.problems.append(mark.problem("", "is not UTF-8 here: save the file in that encoding"))
            return None

    def text(self, text: str, form: str, file: str, directory: str, beside: str) -> None:
        """
        Add a text.

        @param text: The whole of it.
        @param form: One of L{FORMATS}.
        @param file: What to call it.
        @param directory: Where relative paths count from; absolute.
        @param beside: The same, as the names of included files are to begin.
        """
        self.directories[file] = directory
        before = len(self.problems)
        root = _read(text, form, file, self.problems)
        if root is None or root.value is None or root.value == {}:
            if len(self.problems) == before:
                self.problems.append(
                    Mark(file).problem("", "is empty: smartproxy init writes one to start with")
                )
            return
        if not isinstance(root.value, dict):
            self.problems.append(
                root.mark.problem("", "has to be a mapping of options such as sites and routes")
            )
            return
        environment.fill(root, self._environ, self.problems)
        included = self._takeIncluded(root)
        self._merge(root)
        for path, mark in included:
            self._include(path, beside, mark)

    def _takeIncluded(self, root: Node) -> list[tuple[str, Mark]]:
        """
        Take C{include} out of a tree, unless the schema will have to object.
        """
        node = root.value.get("include")
        if node is None:
            return []
        items = node.value if isinstance(node.value, list) else [node]
        if not all(isinstance(item.value, str) and item.value and not item.isReported for item in items):
            return []
        del root.value["include"]
        return [(item.value, item.mark) for item in items]

    def _include(self, pattern: str, beside: str, mark: Mark) -> None:
        """
        @param pattern: Perhaps with C{*}; then that nothing matches is no
            mistake.
        """
        path = os.path.join(beside, pattern)
        if "*" not in pattern:
            self.file(path, mark)
            return
        self.patterns.append(os.path.join(glob.escape(os.path.abspath(beside)), pattern))
        matching = sorted(glob.glob(os.path.join(glob.escape(beside), pattern)))
        if not matching:
            self.unmatched.append((pattern, mark))
        for found in matching:
            self.file(found, mark)

    def _merge(self, added: Node) -> None:
        """
        Join the tree of one more file with what there is.
        """
        routes = added.value.get("routes")
        if routes is not None and isinstance(routes.value, list):
            self.routeNumbers.extend(range(len(routes.value)))
        if self.root is None:
            self.root = added
            return
        have = {camel(key): key for key in self.root.value}
        for key, node in added.value.items():
            other = have.get(camel(key))
            if other is None:
                self.root.value[key], self.root.keys[key] = node, added.keys[key]
            else:
                self._join(key, self.root.value[other], node, added.keys[key], self.root.keys[other])

    def _join(self, key: str, have: Node, node: Node, mark: Mark, first: Mark) -> None:
        kinds: tuple[Any, Any] = (type(have.value), type(node.value))
        if key == "routes" and kinds == (list, list):
            have.value.extend(node.value)
        elif key == "sites" and kinds == (dict, dict):
            for name, site in node.value.items():
                if name in have.value:
                    other = have.keys[name]
                    message = f"is given already in line {other.line} of {other.file}"
                    self.problems.append(node.keys[name].problem(f"sites[{name}]", message))
                else:
                    have.value[name], have.keys[name] = site, node.keys[name]
        else:
            message = f"is given already in line {first.line} of {first.file}: one file has to say it"
            self.problems.append(mark.problem(key, message))
