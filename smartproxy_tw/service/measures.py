"""
Which figures of the proxy Prometheus is told, and by what names; pure.

What tells one number from another in a family is taken from the configuration: names of
routes and targets, identities of certificates, numbers of workers; beside these there
are only codes of status, of which there are so many.  Nobody outside can make another
one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from ..config.model import Forward
from ..plane.census import CODES, DELAYS, DURATIONS, cell, words
from ..values import dataclass
from .exposition import Family, Kind, Sample, histogram

if TYPE_CHECKING:
    from ..config.model import Config
    from .status import CertificateStatus
    from .usage import Usage

__all__ = ["Figures", "measures"]

#: So many routes or certificates are looked at in one turn.
_AT_ONCE = 50
#: So many names of counts are looked at in one turn.
_NAMES_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Figures:
    """
    Everything that there is to tell, at one moment.

    @ivar version: Of this program.
    @ivar python: Of Python.
    @ivar config: What the proxy goes by.
    @ivar tally: As L{IPlane.tally<smartproxy_tw.interfaces.IPlane.tally>} has it.
    @ivar own: What this process uses.
    @ivar workers: What each worker uses, by the number of its place.
    @ivar certificates: How it stands with each; taken one by one.
    @ivar verdicts: What checks have found, by the name of the target, and whether that is
        healthy.
    @ivar diverted: The targets that are drained.
    """

    version: str
    python: str
    config: Config
    tally: Mapping[str, int]
    own: Usage
    workers: Mapping[int, Usage]
    certificates: Iterable[CertificateStatus]
    verdicts: Mapping[str, bool] = field(default_factory=dict)
    diverted: Collection[str] = ()


#: What the tally has by one word: its word, its name here, and what it is.
_PLAIN = (
    ("connections", "connections_total", "Connections that were accepted."),
    ("overflows", "connections_refused_total", "Connections that were refused because there were too many."),
    (
        "greeting_failures",
        "greeting_failures_total",
        "Connections that ended before a request, in TLS mostly.",
    ),
    ("refusals", "requests_refused_total", "Requests that were answered with an error of the proxy's own."),
    ("misses", "unrouted_total", "Requests and connections that no route took."),
    ("upstream_failures", "upstream_failures_total", "Requests and connections that no target served."),
    ("repeats", "upstream_repeats_total", "Requests that were sent to a target for a second time."),
    ("log_lines_lost", "access_log_lost_lines_total", "Lines of the access log that could not be written."),
)

#: What it has by targets.
_TARGETS: tuple[tuple[str, str, Kind, str], ...] = (
    ("target_requests", "target_requests_total", "counter", "Requests that were sent to a target."),
    (
        "target_failures",
        "target_failures_total",
        "counter",
        "Times that a target could not be connected to, or did not answer as it should.",
    ),
    (
        "target_repeats",
        "target_repeats_total",
        "counter",
        "Requests that were sent for a second time because this target did not answer.",
    ),
    ("target_busy", "target_requests_in_flight", "gauge", "Requests that a target has not answered yet."),
    ("target_idle", "target_idle_connections", "gauge", "Connections that are kept for the next request."),
    (
        "target_away",
        "target_passed_over",
        "gauge",
        "In how many processes and ports a target is passed over, after failures in a row.",
    ),
    (
        "target_in_use",
        "target_connections_in_use",
        "gauge",
        "Connections to a target that are made or in use, of routes whose targets do not just take turns.",
    ),
)


def measures(figures: Figures) -> Iterator[Family | None]:
    """
    All of them; L{None} where somebody else may have his turn.
    """
    tally = figures.tally
    about = {"version": figures.version, "python": figures.python}
    yield _one("gauge", "build_info", "Which release this is; always 1.", Sample(1, about))
    yield _one(
        "gauge", "connections_open", "Connections of clients that are open.", Sample(tally.get("open", 0))
    )
    yield from _protocols(tally)
    for word, name, text in _PLAIN:
        yield _one("counter", name, text, Sample(tally.get(word, 0)))
    yield _lag(tally)
    yield from _workers(figures)
    yield from _process(figures.own)
    yield from _targets(figures)
    yield from _routes(figures)
    yield from _certificates(figures.certificates)


def _protocols(tally: Mapping[str, int]) -> Iterator[Family]:
    text = "Requests by what clients speak."
    newer = tally.get("http2_requests", 0)
    both = (("http/1", tally.get("requests", 0) - newer), ("h2", newer))
    yield _family(
        "counter",
        "requests_by_protocol_total",
        text,
        [Sample(number, {"protocol": protocol}) for protocol, number in both],
    )
    text = "Connections of clients that speak HTTP/2 and are open."
    yield _one("gauge", "http2_connections_open", text, Sample(tally.get("http2_open", 0)))
    text = "Requests by HTTP/2 that are in flight."
    yield _one("gauge", "http2_requests_in_flight", text, Sample(tally.get("http2_streams", 0)))


def _routes(figures: Figures) -> Iterator[Family | None]:
    tally = figures.tally
    # A worker may still tell of routes that are not there any more.
    known = ["", *(route.name for route in figures.config.routes)]
    names: list[str] = []
    for number, name in enumerate(known, 1):
        if cell("sent", "-", name) in tally:
            names.append(name)
        if number % _AT_ONCE == 0:
            yield None

    def simply(word: str) -> Iterator[Sample]:
        for name in names:
            yield Sample(tally.get(cell(word, "-", name), 0), {"route": name})

    def byCode() -> Iterator[Sample | None]:
        for number, name in enumerate(names, 1):
            for code in CODES:
                found = tally.get(cell("requests", code, name))
                if found is not None:
                    yield Sample(found, {"route": name, "code": code})
            if number % _AT_ONCE == 0:
                yield None

    def durations() -> Iterator[Sample]:
        for name in names:
            counts = [tally.get(cell("seconds", each, name), 0) for each in range(len(DURATIONS) + 1)]
            total = tally.get(cell("microseconds", "-", name), 0) / 1e6
            yield from histogram({"route": name}, DURATIONS, counts, total)

    def denials() -> Iterator[Sample | None]:
        there = set(known)
        for number, (name, value) in enumerate(list(tally.items()), 1):
            if name.startswith("denied "):
                _, reason, route = words(name)
                if route in there:
                    yield Sample(value, {"route": route, "reason": reason})
            if number % _NAMES_AT_ONCE == 0:
                yield None

    text = "Requests and connections that a guard of a route did not let pass."
    yield _family("counter", "denied_total", text, denials())
    yield _family("counter", "requests_total", "Requests by route and status; no route: refused.", byCode())
    text = "From the head of a request to the last byte of its answer; without tunnels."
    yield _family("histogram", "request_duration_seconds", text, durations())
    yield _family(
        "counter", "streams_total", "Connections that were not HTTP and have ended.", simply("streams")
    )
    text = "Bytes of bodies, and of what is not HTTP, from clients."
    yield _family("counter", "received_bytes_total", text, simply("received"))
    text = "Bytes of bodies, and of what is not HTTP, to clients."
    yield _family("counter", "sent_bytes_total", text, simply("sent"))


def _lag(tally: Mapping[str, int]) -> Family:
    counts = [tally.get(cell("delays", each, "-"), 0) for each in range(len(DELAYS) + 1)]
    total = tally.get(cell("delayed", "-", "-"), 0) / 1e6
    text = "How much later than it should something had its turn in the data path."
    return _family("histogram", "reactor_lag_seconds", text, histogram({}, DELAYS, counts, total))


def _targets(figures: Figures) -> Iterator[Family | None]:
    targets: dict[str, None] = {}
    for number, route in enumerate(figures.config.routes, 1):
        if isinstance(route.action, Forward):
            targets.update((str(target), None) for target in route.action.targets)
            for group in route.action.groups:
                if group.dynamic is not None:
                    targets[str(group.dynamic)] = None
        if number % _AT_ONCE == 0:
            yield None

    def each(word: str) -> Iterator[Sample]:
        for target in targets:
            yield Sample(figures.tally.get(cell(word, "-", target), 0), {"target": target})

    for word, name, kind, text in _TARGETS:
        yield _family(kind, name, text, each(word))
    text = "Whether a target is healthy by its checks; not there where nobody looks."
    checked = [Sample(int(found), {"target": name}) for name, found in figures.verdicts.items()]
    yield _family("gauge", "target_healthy", text, checked)
    text = "Whether a target is drained."
    drained = [Sample(int(target in figures.diverted), {"target": target}) for target in targets]
    yield _family("gauge", "target_draining", text, drained)


def _workers(figures: Figures) -> Iterator[Family]:
    if not figures.workers:
        return
    yield _one("gauge", "workers", "Processes of the data path.", Sample(len(figures.workers)))
    restarts = Sample(figures.tally.get("worker_restarts", 0))
    yield _one("counter", "worker_restarts_total", "Workers that ended without being asked to.", restarts)
    uses = [({"worker": str(number)}, use) for number, use in sorted(figures.workers.items())]
    text = "CPU time of a worker, user and system."
    yield _family("counter", "worker_cpu_seconds_total", text, [Sample(use.cpu, of) for of, use in uses])
    text = "Memory of a worker that is in RAM."
    yield _family(
        "gauge", "worker_resident_memory_bytes", text, [Sample(use.resident, of) for of, use in uses]
    )
    text = "Files that a worker has open."
    yield _family("gauge", "worker_open_fds", text, [Sample(use.files, of) for of, use in uses])


def _process(own: Usage) -> Iterator[Family]:
    # As all clients of Prometheus call them.
    told: tuple[tuple[str, Kind, str, float], ...] = (
        ("cpu_seconds_total", "counter", "CPU time of the process, user and system.", own.cpu),
        ("resident_memory_bytes", "gauge", "Memory that is in RAM.", own.resident),
        ("virtual_memory_bytes", "gauge", "Memory that is addressed.", own.virtual),
        ("open_fds", "gauge", "Files that are open.", own.files),
        ("max_fds", "gauge", "Files that may be open.", own.most),
        ("start_time_seconds", "gauge", "When the process began, in seconds since 1970.", own.began),
    )
    for name, kind, text, value in told:
        yield Family(f"process_{name}", kind, text, [Sample(value)])


def _certificates(certificates: Iterable[CertificateStatus]) -> Iterator[Family | None]:
    expires: list[Sample] = []
    attempts: list[Sample] = []
    failures: list[Sample] = []
    orders: list[Sample] = []
    states: list[Sample] = []
    for number, each in enumerate(certificates, 1):
        label = {"certificate": each.key}
        if each.expires is not None:
            expires.append(Sample(each.expires, label))
        if each.nextAttempt is not None:
            attempts.append(Sample(each.nextAttempt, label))
        failures.append(Sample(each.failures, label))
        orders.append(Sample(each.orders, label))
        states.append(Sample(1, {**label, "state": each.state}))
        if number % _AT_ONCE == 0:
            yield None
    text = "When what is served ends, in seconds since 1970; not there while it is self-signed."
    yield _family("gauge", "certificate_not_after_timestamp_seconds", text, expires)
    text = "When a certificate is ordered or renewed next, in seconds since 1970."
    yield _family("gauge", "certificate_next_attempt_timestamp_seconds", text, attempts)
    yield _family("gauge", "certificate_failures", "Orders in a row that came to nothing.", failures)
    yield _family("counter", "certificate_orders_total", "Orders that have ended, well or not.", orders)
    yield _family("gauge", "certificate_state", "The state that a certificate is in; always 1.", states)


def _one(kind: Kind, name: str, text: str, sample: Sample) -> Family:
    return _family(kind, name, text, (sample,))


def _family(kind: Kind, name: str, text: str, samples: Iterable[Sample | None]) -> Family:
    return Family(f"smartproxy_{name}", kind, text, samples)
