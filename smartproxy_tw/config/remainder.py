"""
What else is wrong with a route, or a site, that has mistakes of form and so cannot be read.

What is well formed of it is read by itself, as far as it means the same whatever the rest is:
targets, files with keys and certificates, guards, pages, code.  What depends on a part that cannot
be read is not looked at, so that nothing is told that would turn out not to be true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from . import answersection, blanks, routesection, sitesection, tlssection
from .branching import TargetReader
from .document import Path
from .findings import Findings
from .locations import Locations
from .readers import RouteReader
from .revisionreader import RevisionReader
from .safeguards import Safeguards

__all__ = ["Remainder"]

#: Keys of a route on which nothing else in it depends.
_APART = frozenset(
    (
        "cors",
        "limits",
        "name",
        "priority",
        "security",
        "securityHeaders",
        "security_headers",
        "timeouts",
        "websocket",
    )
)
#: What is changed in requests and answers, in the forms that their keys have.
_REVISIONS = ("headers", "rewrite", "compress", "error_pages", "errorPages")
_GUARDS = ("security", "cors", "security_headers", "securityHeaders")
#: Actions that forward nothing for certain: whoever writes another word may mean one that does.
_ANSWERS = ("redirect", "respond", "files", "socket", "block")
#: Something well formed, in place of what is not.
_MATCH: Mapping[str, Any] = {"ports": 1}
_FORWARD: Mapping[str, Any] = {"type": "forward", "targets": "h:1"}
_BLOCK: Mapping[str, Any] = {"type": "block"}


class Remainder:
    """
    Tells of one route or site.
    """

    def __init__(self, findings: Findings, files: Locations, path: Path, *, byDNS: bool = True) -> None:
        """
        @param findings: Where mistakes are told.
        @param files: Makes paths absolute.
        @param path: Where the one stands.
        @param byDNS: Whether names can be proved by dns-01, as far as is known.
        """
        self._byDNS = byDNS
        self._findings = findings
        self._files = files
        self._path = path

    def tellOfRoute(self, written: Any) -> None:
        """
        @param written: What stands there, which has mistakes of form that were told; without keys that are
            no options.
        """
        if not isinstance(written, dict):
            return
        left = {
            key: value for key, value in written.items() if key not in _APART or self._isRoute(key, value)
        }
        whole = _route(left)
        if whole is not None:
            RouteReader(self._findings, self._files, self._path, byDNS=self._byDNS).route(whole)
            return
        action = written.get("action")
        if isinstance(action, dict):
            self._action(action, written.get("match"))
        self._guards(written)
        self._revisions(written)

    def tellOfSite(self, written: Any) -> None:
        """
        @param written: As for L{tellOfRoute}.
        """
        if not isinstance(written, dict):
            return
        if "to" in written:
            self._targets(("to",), written["to"], lambda value: _site({"to": value}))
        found = _site({"to": "h:1", "certificate": written.get("certificate")})
        if found is not None and isinstance(found.certificate, tlssection.KeyPair):
            RouteReader(self._findings, self._files, self._path).keyPair(("certificate",), found.certificate)
        self._guards(written)
        self._revisions({**written, "action": _FORWARD})

    def _isRoute(self, key: str, value: Any) -> bool:
        return _route({"match": _MATCH, "action": _BLOCK, key: value}) is not None

    def _action(self, action: dict[str, Any], match: Any) -> None:
        if action.get("type") == "forward" and "targets" in action:
            self._targets(
                ("action", "targets"),
                action["targets"],
                lambda value: _route({"match": _MATCH, "action": {"type": "forward", "targets": value}}),
            )
        elif action.get("type") != "forward":
            self._deed(action, match)
        found = _route({"match": _MATCH, "action": {**_FORWARD, "tls": action.get("tls")}})
        if found is not None:
            RouteReader(self._findings, self._files, self._path).filesOf(found.action.tls)

    def _deed(self, action: dict[str, Any], match: Any) -> None:
        """
        What is done here: of a piece of code nothing else is to be known.
        """
        found = _route({"match": match, "action": action})
        if found is None:
            found = _route({"match": _MATCH, "action": action})
            if found is None or not isinstance(
                found.action, (answersection.PluginAction, answersection.Socket)
            ):
                return
        RouteReader(self._findings, self._files, self._path).deed(found)

    def _targets(self, below: Path, written: Any, read: Callable[[Any], Any]) -> None:
        reader = TargetReader(self._findings, self._files, self._path)

        def one(below: Path, value: Any) -> bool:
            found = read(value)
            if found is not None:
                reader.read(below, found.to if below[0] == "to" else found.action.targets)
            return found is not None

        if not one(below, written) and isinstance(written, list):
            for index, each in enumerate(written):
                one((*below, index), each)

    def _guards(self, written: Mapping[str, Any]) -> None:
        guards = Safeguards(self._findings, self._files, self._path)
        for key in _GUARDS:
            found = _route({"match": _MATCH, "action": _BLOCK, key: written.get(key)})
            if key in written and found is not None:
                guards.security(found.security)
                guards.cors(found.cors)
                guards.headers(found.securityHeaders)

    def _revisions(self, written: Mapping[str, Any]) -> None:
        match, action = written.get("match", _MATCH), written.get("action")
        path = match.get("path") if isinstance(match, dict) else None
        kind = action.get("type") if isinstance(action, dict) else ""
        known = _route({"match": {**_MATCH, **({} if path is None else {"path": path})}, "action": _BLOCK})
        if known is None or not isinstance(match, dict):
            return
        parameters = blanks.parameters(known.match.path)
        for key in _REVISIONS:
            found = _route({"match": _MATCH, "action": _BLOCK, key: written.get(key)})
            if key in written and found is not None:
                reader = RevisionReader(self._findings, self._files, self._path, parameters)
                reader.revisions(found, kind not in _ANSWERS)


def _route(value: Mapping[str, Any]) -> routesection.Route | None:
    try:
        return routesection.Route.model_validate(
            {key: each for key, each in value.items() if each is not None}
        )
    except ValidationError:
        return None


def _site(value: Mapping[str, Any]) -> sitesection.Site | None:
    try:
        return sitesection.Site.model_validate({key: each for key, each in value.items() if each is not None})
    except ValidationError:
        return None
