"""
Short ways to read a configuration in tests.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from smartproxy_tw.config.errors import ConfigError
from smartproxy_tw.config.loading import loads
from smartproxy_tw.config.model import Config, Route

__all__ = ["complaints", "only", "route", "understood"]

#: So that no test depends on who runs it.
ENVIRONMENT = {"STATE_DIRECTORY": "/state"}


def understood(
    text: str, format: str = "yaml", directory: str = "/etc", environ: Mapping[str, str] | None = None
) -> Config:
    """
    Read a text that has nothing wrong with it.
    """
    return loads(textwrap.dedent(text), format, directory, environ=environ or ENVIRONMENT)


def complaints(
    text: str, format: str = "yaml", directory: str = "/etc", environ: Mapping[str, str] | None = None
) -> list[str]:
    """
    Read a text that has something wrong with it: each problem without its file.
    """
    try:
        understood(text, format, directory, environ)
    except ConfigError as why:
        return [line.removeprefix("<text>").removeprefix(":") for line in str(why).split("\n")]
    raise AssertionError("nothing was found wrong")


def only(text: str, format: str = "yaml", directory: str = "/etc") -> str:
    """
    The only problem of a text.
    """
    found = complaints(text, format, directory)
    assert len(found) == 1, found
    return found[0]


def route(match: str, action: str = "{type: block}", more: str = "") -> Route:
    """
    Read a configuration of one route.
    """
    (found,) = understood(f"routes: [{{match: {match}, action: {action}{more}}}]").routes
    return found
