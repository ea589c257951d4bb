"""
What routes do that are answered from here, with files or by code: from what is written to
what it means.
"""

from __future__ import annotations

import json
import os
from typing import Any

from .application import Application
from .code import Code
from .contents import Contents
from .document import Path
from .filetree import FileTree
from .findings import Findings
from .locations import Locations
from .modules import importProblem

__all__ = ["application", "fileTree"]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def fileTree(
    written: Contents, asked: str | None, path: Path, findings: Findings, files: Locations
) -> FileTree:
    """
    @param asked: The path that the route matches.
    @param path: Where the action stands.
    @param findings: Where mistakes are told.
    @param files: Makes paths absolute.
    """
    root = files.absolute((*path, "root"), written.root)
    if not os.path.isdir(root):
        why = "is not a directory" if os.path.lexists(root) else "does not exist"
        findings.refuse((*path, "root"), why + ("" if root == written.root else f" (it would be {root})"))
    if written.fallback is not None and written.notFound is not None:
        findings.add((*path, "not_found"), "has no effect with fallback: leave out one of them")
    prefix = written.stripPrefix
    beginning = None if asked is None else asked.removesuffix("*") + "/"
    if prefix is not None and beginning is not None and not beginning.startswith(prefix + "/"):
        findings.refuse((*path, "strip_prefix"), f"is not how {asked} begins, which the route matches")
    return FileTree(
        root=root,
        index=tuple(_listed(written.index)),
        listing=written.listing,
        cache=tuple(written.cache.items()),
        precompressed=tuple(written.precompressed),
        fallback=written.fallback,
        notFound=written.notFound,
        hidden=written.hidden,
        symlinks=written.symlinks,
        stripPrefix=prefix or "",
    )


def application(written: Code, path: Path, findings: Findings, files: Locations) -> Application:
    """
    @param path: Where the action stands.
    @param findings: Where mistakes are told.
    @param files: Makes paths absolute.
    """
    below: Path = (*path, "python_path")
    isList = isinstance(written.pythonPath, list)
    directories = []
    for index, each in enumerate(_listed(written.pythonPath)):
        place = (*below, index) if isList else below
        found = files.absolute(place, each)
        if not os.path.isdir(found):
            findings.refuse(
                place, "is not a directory" + ("" if found == each else f" (it would be {found})")
            )
        directories.append(found)
    why = importProblem(written.factory, (*directories, *files.modules))
    if why is not None:
        findings.refuse((*path, "factory"), why)
    arguments = None
    if written.arguments is not None:
        try:
            arguments = json.dumps(written.arguments, allow_nan=False)
        except (TypeError, ValueError):
            findings.add(
                (*path, "arguments"), "has something in it that is no text, number, claim, list or mapping"
            )
    return Application(
        factory=written.factory,
        kind=written.kind,
        arguments=arguments,
        pythonPath=tuple(directories),
        threads=written.threads,
        queue=written.queue,
        bodyBytes=written.bodyBytes,
    )
