"""
What every worker has to know, and how that changes.  Pure: no process, no socket.

A L{State} is the sum of the changes that were agreed on.  Who knows nothing is
given L{State.letter} first, which is everything that is served, and
L{State.adoptions} after that, never the other way round: no worker accepts a
connection that it has no table, no certificate or no challenge for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from os import sched_getaffinity
from typing import TYPE_CHECKING, Literal

from ..facts import HTTP01, Challenge, Credential, Verdict
from ..plane.census import LARGEST
from ..routing.steps import Steps, finish
from ..values import dataclass

if TYPE_CHECKING:
    from ..config.model import Checked, Config

__all__ = [
    "Adopt",
    "Change",
    "Divert",
    "GAUGES",
    "Install",
    "Judge",
    "Present",
    "Release",
    "Restore",
    "Sign",
    "State",
    "Uninstall",
    "UseTable",
    "Withdraw",
    "added",
    "adding",
    "counted",
    "isGauge",
    "shared",
    "subject",
    "takesAway",
]

#: What L{IPlane.tally<smartproxy_tw.interfaces.IPlane.tally>} tells of now rather
#: than since the start, by the first word: of a worker that has ended it is nothing.
GAUGES = frozenset(
    {
        "http2_open",
        "http2_streams",
        "open",
        "target_away",
        "target_busy",
        "target_idle",
        "target_in_use",
        "target_member",
        "target_share",
        "target_until",
    }
)


@dataclass(frozen=True, slots=True)
class UseTable:
    """
    Route by this, see L{IPlane<smartproxy_tw.interfaces.IPlane>}.

    @ivar packed: This as L{smartproxy_tw.control.packing} has it, made beforehand
        because it takes a while; empty: it is still to be made.
    """

    config: Config
    packed: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Install:
    """
    Serve this certificate, likewise.
    """

    key: str
    credential: Credential


@dataclass(frozen=True, slots=True)
class Uninstall:
    """
    Serve it no more, likewise.
    """

    key: str


@dataclass(frozen=True, slots=True)
class Present:
    """
    Answer this challenge, likewise.
    """

    challenge: Challenge


@dataclass(frozen=True, slots=True)
class Withdraw:
    """
    Answer it no more, likewise.
    """

    challenge: Challenge


@dataclass(frozen=True, slots=True)
class Judge:
    """
    Go by what a check has found, likewise.
    """

    checked: Checked
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Divert:
    """
    Send nothing new to a target, likewise.
    """

    target: str


@dataclass(frozen=True, slots=True)
class Restore:
    """
    The contrary, likewise.
    """

    target: str


@dataclass(frozen=True, slots=True)
class Sign:
    """
    Sign cookies with this, likewise.
    """

    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Adopt:
    """
    Accept on a port; its socket travels beside this.

    @ivar identity: What tells this port from every other there was.
    @ivar number: What routes know it by.
    """

    identity: int
    number: int


@dataclass(frozen=True, slots=True)
class Release:
    """
    Accept on it no more.

    @ivar identity: As in L{Adopt}.
    """

    identity: int


#: Anything that a worker can be told.
Change = (
    UseTable | Install | Uninstall | Present | Withdraw | Judge | Divert | Restore | Sign | Adopt | Release
)


def subject(change: Change) -> str:
    """
    What a change is about.  Two about the same come one after the other, two
    about different things in any order.

    @param change: The change.
    """
    match change:
        case UseTable():
            return "table"
        case Install(key) | Uninstall(key):
            return f"certificate {key}"
        case Present(challenge) | Withdraw(challenge):
            return f"challenge {_identity(challenge)}"
        case Judge(checked):
            return f"verdict {checked}"
        case Divert(target) | Restore(target):
            return f"target {target}"
        case Sign():
            return "secret"
        case Adopt(identity) | Release(identity):
            return f"port {identity}"


def takesAway(change: Change) -> bool:
    """
    Whether no worker can find a change unusable, as it only ends something or says what
    is so: where there is no worker it is done already.

    @param change: The change.
    """
    return isinstance(change, Uninstall | Withdraw | Judge | Divert | Restore | Sign | Release)


def _identity(challenge: Challenge) -> str:
    # As the data path tells them apart.
    return f"token {challenge.token}" if isinstance(challenge, HTTP01) else f"name {challenge.name}"


@dataclass(slots=True)
class State:
    """
    What every worker has to know.

    @ivar table: What is routed by; L{None} before there was something.
    @ivar credentials: The certificates, by key.
    @ivar challenges: Those that are being answered, by L{subject}.
    @ivar ports: The numbers of the ports that are accepted on, by identity.
    @ivar verdicts: What checks have found of all that is not healthy.
    @ivar diverted: The targets that are sent nothing new.
    @ivar secret: What cookies are signed with; empty: nobody has said.
    """

    table: UseTable | None = None
    credentials: dict[str, Credential] = field(default_factory=dict)
    challenges: dict[str, Challenge] = field(default_factory=dict)
    ports: dict[int, int] = field(default_factory=dict)
    verdicts: dict[Checked, Verdict] = field(default_factory=dict)
    diverted: dict[str, None] = field(default_factory=dict)
    secret: bytes = field(default=b"", repr=False)

    def take(self, change: Change) -> None:
        """
        This was agreed on.
        """
        match change:
            case UseTable():
                self.table = change
            case Install(key, credential):
                self.credentials[key] = credential
            case Uninstall(key):
                self.credentials.pop(key, None)
            case Present(challenge):
                self.challenges[subject(change)] = challenge
            case Withdraw():
                self.challenges.pop(subject(change), None)
            case Judge(checked, verdict):
                self.verdicts.pop(checked, None)
                if not verdict.isHealthy:
                    self.verdicts[checked] = verdict
            case Divert(target):
                self.diverted[target] = None
            case Restore(target):
                self.diverted.pop(target, None)
            case Sign(secret):
                self.secret = secret
            case Adopt(identity, number):
                self.ports[identity] = number
            case Release(identity):
                self.ports.pop(identity, None)

    @property
    def config(self) -> Config | None:
        """
        The configuration that is gone by; L{None} before there was one.
        """
        return None if self.table is None else self.table.config

    def letter(self) -> tuple[Change, ...]:
        """
        Everything that is served, for who knows nothing.
        """
        return (
            *((Sign(self.secret),) if self.secret else ()),
            *(Judge(checked, verdict) for checked, verdict in self.verdicts.items()),
            *map(Divert, self.diverted),
            *(() if self.table is None else (self.table,)),
            *(Install(key, credential) for key, credential in self.credentials.items()),
            *(Present(challenge) for challenge in self.challenges.values()),
        )

    def adoptions(self) -> tuple[Adopt, ...]:
        """
        The ports that it is served on.
        """
        return tuple(Adopt(identity, number) for identity, number in self.ports.items())


def counted(workers: int | Literal["auto"]) -> int:
    """
    @param workers: As the configuration has it.
    @return: How many workers that is: C{"auto"} is one for each CPU that this
        process may use.
    """
    return len(sched_getaffinity(0)) if workers == "auto" else workers


def shared(config: Config, workers: int) -> Config:
    """
    The configuration as one of several workers goes by it: of what is limited
    for the whole it has its share, rounded up.

    @param workers: How many there are.
    """
    most = -(-config.limits.connections // workers)
    # The token of the admin port is nothing for a process that strangers speak to.
    return replace(config, workers=workers, admin=None, limits=replace(config.limits, connections=most))


#: So many counts are added in one step, less one.
_STEP = 1023


def isGauge(name: str) -> bool:
    """
    Whether it is told of now, and not since the start.

    @param name: Of a count.
    """
    return name.partition(" ")[0] in GAUGES


def adding(
    living: Iterable[Mapping[str, int]], ended: Iterable[Mapping[str, int]] = ()
) -> Steps[dict[str, int]]:
    """
    The tally of all workers, step by step.

    @param living: Theirs.
    @param ended: The last ones of those that were.
    """
    total: dict[str, int] = {}
    tallies = [(tally, True) for tally in living] + [(tally, False) for tally in ended]
    for tally, isLiving in tallies:
        # More may be told in between.
        for number, (name, value) in enumerate(list(tally.items())):
            if isLiving or not isGauge(name):
                isLargest = name.partition(" ")[0] in LARGEST
                total[name] = max(total.get(name, 0), value) if isLargest else total.get(name, 0) + value
            if not number & _STEP:
                yield
    return total


def added(living: Iterable[Mapping[str, int]], ended: Iterable[Mapping[str, int]] = ()) -> dict[str, int]:
    """
    The same, at once.
    """
    return finish(adding(living, ended))
