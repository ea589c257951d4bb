"""
Short ways to write a configuration that uses one option, and to look at what comes of it; for
the tables that L{tests.config.test_schema} joins.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from smartproxy_tw.config.model import Branch, Conditions, Config, UpstreamTLS

__all__ = [
    "DIRECTORY",
    "ROUTE",
    "TOKEN",
    "Option",
    "action",
    "asked",
    "branch",
    "deed",
    "first",
    "match",
    "ofTLS",
    "site",
    "tls",
]

#: A text that uses an option, what to look at, and what that has to be, which is never what it
#: would be without the option.
Option = tuple[str, Callable[[Config], Any], Any]

#: Where the configurations that use each option stand.
DIRECTORY = os.path.join("of_test_schema", "here")
#: What somebody shows who speaks to the proxy by TCP.
TOKEN = "0123456789abcdef" * 2
ROUTE = "routes: [{match: {ports: 8}, action: {type: block}}]\n"


def action(text: str, match: str = "ports: 8, domains: a.b") -> str:
    """
    A configuration with one route.
    """
    return f"routes: [{{match: {{{match}}}, action: {{{text}}}}}]"


def branch(text: str) -> str:
    """
    A configuration with one route to one target.
    """
    return action(f"type: forward, targets: {{{text}}}")


def first(config: Config) -> Branch:
    """
    The first branch of the only route.
    """
    found: Branch = deed(config).branches[0]
    return found


def asked(config: Config) -> tuple[str | None, Conditions | None]:
    """
    What that asks for.
    """
    found = first(config)
    return found.path, found.conditions


def ofTLS(config: Config) -> UpstreamTLS | None:
    """
    How the targets of the only route are spoken to.
    """
    found: UpstreamTLS | None = deed(config).tls
    return found


def tls(text: str) -> str:
    """
    A configuration with one route that has to do with TLS.
    """
    return action(f"type: forward, targets: 'h:1', tls: {{{text}}}")


def match(text: str) -> str:
    """
    A configuration with one route.
    """
    return action("type: block", text)


def site(text: str) -> str:
    """
    A configuration with one site.
    """
    return f"sites: {{a.b: {text}}}"


def deed(config: Config) -> Any:
    """
    What the first route does.
    """
    return config.routes[0].action
