"""
How files say what is written down: of each request, and of what happens otherwise.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from . import model
from .section import PathText, Section

__all__ = ["AccessLog", "Log"]


class AccessLog(Section):
    """
    One line for each request, or for each connection that is not HTTP.
    """

    format: Literal["combined", "json", "logfmt", "off"] = Field(
        default=model.AccessLog().format,
        description="`combined` (as Apache has it), `json` or `logfmt`, which have more, or `off`.",
    )
    file: PathText = Field(
        default=model.AccessLog().file,
        description="`stdout`, or a path relative to the directory of this file.",
    )


class Log(Section):
    """
    The log of events.
    """

    format: Literal["text", "json"] = Field(
        default="text", description="`text`: readable lines; `json`: one object a line."
    )
