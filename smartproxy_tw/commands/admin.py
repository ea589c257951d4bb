"""
Speaks to the running proxy, by the unix socket that its configuration names: one
question, one answer.

Nothing here needs a reactor.  Whatever is wrong with the way there is L{ProxyAway},
whose text says what to do; what the proxy refuses is an answer.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..service.unixport import addressIn
from ..values import dataclass

if TYPE_CHECKING:
    from ..config.model import Config

__all__ = ["Answer", "Ask", "ProxyAway", "asking", "live", "socketOf"]

#: Longer than the proxy takes for what takes longest, in seconds.
_PATIENCE = 160.0

#: For who has another source to turn to, in seconds.
_SOON = 5.0

#: Ten thousand certificates with what happened to them take less, in bytes.
_LARGEST = 128 * 1024 * 1024


class ProxyAway(Exception):
    """
    There is no answer.  The text is the whole message.
    """


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What the proxy says.

    @ivar status: Of HTTP.
    @ivar members: Of the JSON object.
    """

    status: int
    members: Mapping[str, Any]

    @property
    def error(self) -> str | None:
        """
        Why it was refused as a whole, for people; L{None}: it was not.
        """
        found = self.members.get("error")
        return None if not isinstance(found, dict) else str(found.get("message"))


#: Asks, with a verb, a path and, for C{POST}, members.  Raises L{ProxyAway}.
Ask = Callable[[str, str, Mapping[str, Any]], Answer]


class _Connection(http.client.HTTPConnection):
    """
    HTTP by a unix socket.
    """

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        directory = os.open(os.path.dirname(self._path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(addressIn(directory, self._path))
        finally:
            os.close(directory)


def socketOf(config: Config) -> str:
    """
    Where the proxy that runs by a configuration is spoken to.

    @raise ProxyAway: It is not to be spoken to.
    """
    if config.admin is None:
        raise ProxyAway(
            "The configuration says admin: off, so that the running proxy cannot be spoken to."
            " Take that out of the file, and restart the proxy; or, if it runs by what the file said before,"
            " name its socket with --socket."
        )
    return config.admin.socket


def asking(path: str, timeout: float = _PATIENCE) -> Ask:
    """
    What asks a proxy.

    @param path: Of its socket, absolute.
    @param timeout: How long the proxy may say nothing, in seconds.
    """

    def ask(verb: str, target: str, members: Mapping[str, Any]) -> Answer:
        try:
            return _asked(path, timeout, verb, target, members)
        except (OSError, http.client.HTTPException, ValueError) as why:
            raise ProxyAway(_explained(path, why)) from why

    return ask


def live(config: Config) -> Mapping[str, Mapping[str, Any]]:
    """
    How it stands with each certificate, as the running proxy knows it, by identity.

    @return: Empty where none answers soon.
    """
    try:
        answer = asking(socketOf(config), _SOON)("GET", "/v1/certificates", {})
    except ProxyAway:
        return {}
    return {each["key"]: each for each in answer.members.get("certificates", ())}


def _asked(path: str, timeout: float, verb: str, target: str, members: Mapping[str, Any]) -> Answer:
    connection = _Connection(path, timeout)
    try:
        if verb == "GET":
            target += "?" + urlencode(members, doseq=True) if members else ""
            connection.request(verb, target)
        else:
            fields = {"Content-Type": "application/json"}
            connection.request(verb, target, json.dumps(members).encode("ascii"), fields)
        response = connection.getresponse()
        body = response.read(_LARGEST)
        if response.length:
            raise http.client.IncompleteRead(body, response.length)
        found = json.loads(body)
        if not isinstance(found, dict):
            raise ValueError("it is no JSON object")
        return Answer(response.status, found)
    finally:
        connection.close()


def _explained(path: str, why: Exception) -> str:
    if isinstance(why, PermissionError):
        return (
            f"{path} may not be spoken to by user {os.geteuid()}."
            " Run this as the user who runs the proxy, or as root."
        )
    if isinstance(why, TimeoutError):
        return f"The proxy at {path} does not answer. Look at its log."
    if isinstance(why, OSError) and why.errno in (errno.ENOENT, errno.ENOTDIR, errno.ECONNREFUSED):
        return (
            f"No proxy answers at {path}. Start it (twistd -n smartproxy --config FILE); or, if it runs by"
            " another file, name that with --config, and if as another user, be that one. If it runs by"
            " this one, its log says why there is no socket."
        )
    if isinstance(why, OSError | http.client.HTTPException):
        return f"The proxy at {path} broke off without an answer ({why}): it may have ended. Look at its log."
    return f"What answers at {path} is no proxy of ours: {why}."
