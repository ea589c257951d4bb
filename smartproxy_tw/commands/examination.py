"""
What C{smartproxy doctor} looks at on this machine, and at the authority: a function for
each thing that HTTPS needs, which takes the world as it is and returns what it means.

Nothing is changed, made or locked.
"""

from __future__ import annotations

import http.client
import os
import resource
import socket
import ssl
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from ..service.holder import holderOf, isHeld
from ..values import dataclass
from .admin import Ask, ProxyAway
from .glance import duration, plain

if TYPE_CHECKING:
    from ..config.model import Acme, Authority, Config

__all__ = ["Standing", "Symptom", "authority", "openFiles", "ports", "proxy", "stateDirectory"]

#: A clock that is wrong by more than that makes certificates and orders fail, in seconds.
_WRONG = 300.0

#: What a proxy needs open for other things than connections.
_RESERVE = 64

#: Room for fewer connections is soon too little.
_FEW = 1000

#: For an authority to answer, in seconds.
_PATIENCE = 10.0

#: What there is of a running proxy, as C{GET /v1/status} tells it; L{None}: none answers.
Standing = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Symptom:
    """
    One thing that was looked at.

    @ivar check: What.
    @ivar value: C{well}, C{bad}, or C{unknown} where it cannot be told from here.
    @ivar text: What was seen.
    @ivar remedy: What to do about it; empty where there is nothing to do.
    """

    check: str
    value: Literal["well", "bad", "unknown"]
    text: str
    remedy: str = ""


def proxy(ask: Ask | None, wants: str = "") -> tuple[Standing, list[Symptom]]:
    """
    Whether the proxy runs, and what it says of itself.

    @param ask: Asks it; L{None}: it is not to be asked.
    @param wants: Why it is not, then.
    """
    if ask is None:
        return None, [Symptom("proxy", "unknown", plain(wants))]
    try:
        answer = ask("GET", "/v1/status", {})
    except ProxyAway as why:
        text, _, remedy = str(why).partition(". ")
        return None, [Symptom("proxy", "bad", plain(text), plain(remedy))]
    if answer.error is not None:
        return None, [Symptom("proxy", "unknown", f"it does not tell how it stands: {plain(answer.error)}")]
    told = answer.members
    found = [Symptom("proxy", "well", f"process {told['process']} answers, up {duration(told['uptime'])}")]
    if not told["ready"]:
        found = [Symptom("proxy", "bad", f"it is not ready: {plain(told['reason'])}", "Look at its log")]
    for each in told["certificates"]["problems"]:
        names, problem = ", ".join(map(plain, each["names"])), plain(each["problem"])
        again = f"It is tried again at {each['next_attempt']}" if each["next_attempt"] else ""
        found.append(Symptom("certificate", "bad", f"{names}: {problem}", again))
    return told, found


def stateDirectory(path: str, standing: Standing, *, user: int | None = None) -> Iterator[Symptom]:
    """
    Whether keys are kept where the proxy can write and nobody else can.

    @param path: Absolute.
    @param standing: Of the running proxy.
    @param user: As whom one looks; by default, as who runs this.
    """
    user = os.geteuid() if user is None else user
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        yield _missingDirectory(path)
        return
    except OSError as why:
        yield Symptom("state", "unknown", f"{path} cannot be looked at: {why.strerror} (as user {user})")
        return
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode):
        yield Symptom("state", "bad", f"{path} is no directory", "Name another with state_dir")
    elif mode & 0o022:
        text = f"others may write to {path} (mode {mode:04o}), so that the proxy does not use it"
        yield Symptom("state", "bad", text, f"chmod 700 {path}")
    elif found.st_uid not in (user, 0) and user != 0:
        text = f"{path} belongs to user {found.st_uid}, and this is user {user}"
        yield Symptom("state", "unknown", text, "Run this as the user who runs the proxy")
    elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        remedy = f"chown {user} {path}, or run the proxy as another user"
        yield Symptom("state", "bad", f"user {user} cannot write to {path}", remedy)
    else:
        room = os.statvfs(path)
        if room.f_bavail * room.f_frsize < 1 << 20:
            yield Symptom(
                "state", "bad", f"the disk of {path} is full", "Make room: no certificate can be saved"
            )
        else:
            yield Symptom("state", "well", f"{path} is private (mode {mode:04o})")
    yield from _lock(path, standing)


def _missingDirectory(path: str) -> Symptom:
    place = path
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    if os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
        return Symptom("state", "well", f"{path} is not there yet, and can be made")
    remedy = f"As root: install -d -m 700 -o USER {path}; or name another with state_dir"
    return Symptom(
        "state", "bad", f"{path} is not there, and user {os.geteuid()} cannot make it in {place}", remedy
    )


def _lock(path: str, standing: Standing, proc: str = "/proc") -> Iterator[Symptom]:
    place = os.path.join(path, "lock")
    try:
        found = os.stat(place)
        with open(os.path.join(proc, "locks"), encoding="ascii", errors="replace") as file:
            holders = [
                int(fields[4])
                for line in file
                if len(fields := line.split()) > 5
                and fields[1] == "FLOCK"
                and fields[5].rpartition(":")[2] == str(found.st_ino)
                and fields[5].rpartition(":")[0]
                == f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}"
            ]
    except (OSError, ValueError):
        return
    if not holders:
        return
    holder = _written(place) or holders[0]
    if standing is None:
        text = f"process {holder} uses {path}, and does not answer"
        yield Symptom("lock", "bad", text, "If that is no proxy of this configuration, stop it")
    elif holder != standing["process"]:
        text = f"process {holder} uses {path}, and process {standing['process']} answers"
        yield Symptom("lock", "unknown", text, "Two proxies want one state directory: stop one")


def _written(place: str) -> int | None:
    # The kernel names who took the lock, though that may have left it to a successor and be gone.
    try:
        with open(place, encoding="ascii", errors="replace") as file:
            return int(file.read(32))
    except (OSError, ValueError):
        return None


def ports(
    config: Config,
    standing: Standing,
    *,
    isHeld: Callable[[int], bool] = isHeld,
    holder: Callable[[int], str | None] = holderOf,
    bound: Callable[[str, int], OSError | None] | None = None,
) -> Iterator[Symptom]:
    """
    Whether each port is the proxy's, or can be.

    @param config: Which.
    @param standing: Of the running proxy.
    @param isHeld: Whether somebody listens on one.
    @param holder: Who does.
    @param bound: What the kernel says to a bind that is undone at once.
    """
    bound = bound or _bound
    served = (
        set() if standing is None else {each["port"] for each in standing["listening"] if each["adopted"]}
    )
    for number in config.ports:
        check = f"port {number}"
        if number in served:
            yield Symptom(check, "well", "the proxy accepts connections there")
        elif standing is not None:
            text = "the proxy does not listen there: it goes by an older configuration than this file"
            yield Symptom(check, "bad", text, "Restart it")
        elif isHeld(number):
            who = holder(number) or "another program, which this user may not see,"
            yield Symptom(check, "bad", f"{who} listens there", "Stop that, or choose another port")
        else:
            yield _free(check, bound(config.bind[0] if config.bind else "0.0.0.0", number))


def _free(check: str, why: OSError | None) -> Symptom:
    if why is None:
        return Symptom(check, "well", "nobody listens there, and it can be had")
    if isinstance(why, PermissionError):
        remedy = (
            "Start as root with twistd --uid, or give CAP_NET_BIND_SERVICE, or choose a port from 1024 up"
        )
        return Symptom(check, "unknown", f"nobody listens there, and user {os.geteuid()} may not", remedy)
    return Symptom(
        check, "bad", f"nobody listens there, and it cannot be had: {why.strerror}", "Correct bind"
    )


def _bound(host: str, number: int) -> OSError | None:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
            # Without listening: nobody can connect.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, number))
    except OSError as why:
        return why
    return None


def openFiles(config: Config, standing: Standing, proc: str = "/proc") -> Symptom:
    """
    Whether there is room for as many connections as are allowed.

    @param config: How many.
    @param standing: Of the running proxy, whose own limit counts.
    @param proc: Where the kernel tells that.
    """
    limit, whose = resource.getrlimit(resource.RLIMIT_NOFILE)[1], "for this shell"
    if standing is not None:
        found = _limitOf(standing["process"], proc)
        if found is None:
            return Symptom("open files", "unknown", "the proxy's limit may not be seen by this user")
        limit, whose = found, "for the proxy"
    # Each worker has that many by itself.
    workers = config.workers if isinstance(config.workers, int) else len(os.sched_getaffinity(0))
    wanted = 2 * -(-config.limits.connections // workers) + _RESERVE
    if limit == resource.RLIM_INFINITY or limit >= wanted:
        shown = "as many as one likes" if limit == resource.RLIM_INFINITY else str(limit)
        return Symptom("open files", "well", f"{shown} {whose}, {wanted} are needed")
    room = max(1, (limit - _RESERVE) // 2)
    text = f"{limit} {whose}: room for {room} connections in each process, not for limits.connections"
    remedy = f"LimitNOFILE={wanted} in the unit, or ulimit -Hn {wanted}, if there will be so many"
    return Symptom("open files", "well" if room >= _FEW else "bad", text, remedy)


def _limitOf(process: int, proc: str) -> int | None:
    try:
        with open(f"{proc}/{process}/limits", encoding="ascii") as file:
            for line in file:
                if line.startswith("Max open files"):
                    hard = line.split()[4]
                    return resource.RLIM_INFINITY if hard == "unlimited" else int(hard)
    except (OSError, ValueError, IndexError):
        pass
    return None


#: Asks for a directory: the status of HTTP and the field C{Date}.
Fetch = Callable[[str, str | None], tuple[int, str | None]]


def authority(
    acme: Acme | Authority, fetch: Fetch | None = None, now: Callable[[], float] = time.time
) -> Iterator[Symptom]:
    """
    Whether an authority can be reached and trusted, and whether the clock is right.

    @param acme: Which.
    @param fetch: Asks for its directory.
    @param now: The time of day, POSIX seconds.
    """
    where, file = acme.directory, acme.caFile
    try:
        status, date = (fetch or _fetched)(where, file)
    except ssl.SSLCertVerificationError as why:
        remedy = "Name its root with acme.ca_file, and see that the clock is right"
        yield Symptom("authority", "bad", f"{where} is not trusted: {plain(why.verify_message)}", remedy)
        return
    except (OSError, http.client.HTTPException, ValueError) as why:
        remedy = "Let this machine connect to it: the DNS, routes and firewalls on the way out"
        yield Symptom("authority", "bad", f"{where} cannot be reached: {plain(why)}", remedy)
        return
    if status != 200:
        text = f"{where} answers with {status}"
        yield Symptom("authority", "bad", text, "See that acme.directory is right; or it is in trouble: wait")
    else:
        yield Symptom("authority", "well", f"{where} answers, and is trusted")
    yield _clock(date, now())


def _clock(date: str | None, now: float) -> Symptom:
    try:
        ahead = now - parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return Symptom("clock", "unknown", "the authority does not tell the time")
    if abs(ahead) <= _WRONG:
        return Symptom("clock", "well", "it is the authority's, to the minute")
    text = f"it is {duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the authority's"
    return Symptom("clock", "bad", text, "Set it, and have NTP keep it right (timedatectl set-ntp true)")


def _fetched(url: str, caFile: str | None) -> tuple[int, str | None]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        trust = ssl.create_default_context(cafile=caFile)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, parts.port, timeout=_PATIENCE, context=trust
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=_PATIENCE)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"User-Agent": "smartproxy doctor"})
        answer = connection.getresponse()
        answer.read(1 << 20)
        return answer.status, answer.getheader("Date")
    finally:
        connection.close()
