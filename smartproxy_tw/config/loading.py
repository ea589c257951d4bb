"""
A file, or a text, to a configuration: the public door of this room.

Whatever is wrong, be it that the file cannot be read or that two routes
contradict each other, is one L{ConfigError} with all of it.  The heavy imports
(pydantic, yaml) happen here, when something is read, and not before.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from .errors import ConfigError, Problem
from .inclusion import FORMATS, Gatherer
from .model import Config

__all__ = ["load", "loads"]


def load(path: str, environ: Mapping[str, str] = os.environ) -> Config:
    """
    Read a configuration file, and those that it includes.

    @param path: Its name ends in C{.yaml}, C{.yml}, C{.toml} or C{.json}.
    @param environ: For C{${NAME}}, and for the default state directory.
    @return: What it means.
    @raise ConfigError: With everything that is wrong.
    """
    gatherer = Gatherer(environ)
    gatherer.file(path)
    return _finish(gatherer, environ, os.path.abspath(path) if "\0" not in path else None)


def loads(
    text: str,
    format: str,
    directory: str,
    source: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """
    Read a configuration that is at hand as text.

    @param text: The whole of it.
    @param format: C{"yaml"}, C{"toml"} or C{"json"}.
    @param directory: Where relative paths count from.
    @param source: What to call it in messages, and the file it comes from, if
        it comes from one.
    @param environ: As for L{load}.
    @return: What it means.
    @raise ConfigError: With everything that is wrong.
    @raise ValueError: There is no such format.
    """
    if format not in FORMATS.values():
        raise ValueError(f"{format!r} is not one of the formats {', '.join(sorted(set(FORMATS.values())))}")
    name = source or "<text>"
    gatherer = Gatherer(environ)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as why:
        line = text.count("\n", 0, why.start) + 1
        message = "half of a surrogate pair stands here, which is no character"
        raise ConfigError(
            [Problem(name, line, why.start - text.rfind("\n", 0, why.start), "", message)]
        ) from None
    gatherer.text(text, format, name, os.path.abspath(directory), directory)
    return _finish(gatherer, environ, os.path.abspath(source) if source else None)


def _finish(gatherer: Gatherer, environ: Mapping[str, str], source: str | None) -> Config:
    """
    @raise ConfigError: With everything that is wrong, in the order of the text.
    """
    if gatherer.root is None:
        raise ConfigError(gatherer.problems)
    if not (gatherer.problems or {"routes", "sites"} & gatherer.root.value.keys()):
        # That nothing matches is no mistake, but where nothing is served it is the reason.
        for pattern, mark in gatherer.unmatched:
            message = f"no file matches {pattern!r}, and there is nothing else to serve"
            gatherer.problems.append(mark.problem("include", message))
    from .findings import Findings
    from .resolution import resolve

    findings = Findings(gatherer.root, gatherer.problems, gatherer.routeNumbers)
    files = list(gatherer.directories)
    try:
        made = resolve(findings, gatherer.directories, environ, source)
        return replace(
            made,
            source=source,
            files=(*map(os.path.abspath, gatherer.directories), *made.pageFiles) if source else (),
            patterns=tuple(gatherer.patterns),
        )
    except ConfigError as why:
        order = {file: place for place, file in enumerate(files)}
        raise ConfigError(
            sorted(
                dict.fromkeys(why.problems),
                key=lambda problem: (order.get(problem.file, -1), problem.line, problem.column),
            )
        ) from None
