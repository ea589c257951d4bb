"""
How it is written that a route is answered by Python code: a part of the language of
L{smartproxy_tw.config.schema}.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from .dotted import dotted
from .section import PathTexts, Section, number

__all__ = ["Code"]


class Code(Section):
    """
    Hand requests, or bytes, to Python code in this process.
    """

    type: Literal["socket"] = Field(description="Python code.")
    factory: Annotated[str, AfterValidator(dotted)] = Field(
        description="Where it is: `package.module:name`, or `package.module.name`."
    )
    kind: Literal["protocol", "resource", "wsgi", "asgi"] | None = Field(
        default=None,
        description="What it is: `protocol`, a factory of Twisted's protocols or such a protocol, for "
        "what is not HTTP; "
        "`resource`, an IResource of twisted.web; `wsgi` or `asgi`, an application. Default: one of the last "
        "three, which is found out.",
    )
    arguments: dict[str, Any] | None = Field(
        default=None,
        description="Call what is at `factory` with these, by name, and use what it returns. Default: it is "
        "used as it is; a class of resources is called without any.",
    )
    pythonPath: PathTexts = Field(
        default_factory=list,
        description="Directories, one or a list, where its modules are looked for, after those where Python "
        "looks by itself and before those of `python_path` at the top; relative to that of this file.",
    )
    threads: Annotated[int, Field(ge=1, le=1000), BeforeValidator(number)] = Field(
        default=8, description="How many requests a WSGI application answers at a time, in each process."
    )
    queue: Annotated[int, Field(ge=0, le=100000), BeforeValidator(number)] = Field(
        default=64,
        description="How many more requests may wait for that, in each process; others are answered with "
        "503. For ASGI: so many beside `threads` may be under way, WebSockets that last not among them.",
    )
    bodyBytes: Annotated[int, Field(ge=0, le=1 << 32), BeforeValidator(number)] = Field(
        default=1 << 23,
        description="How long the body of a request may be; a longer one is answered with 413. It is read "
        "as a whole before the code sees the request. As long may a message of a WebSocket be; a longer one "
        "ends it with 1009.",
    )
