"""
C{smartproxy top}: a running proxy, looked at every second, on a terminal.

What is shown is thought up by L{frame}, which knows no terminal: two looks in, lines
out.  L{Top} asks, waits for a key and writes; whatever ends it, the terminal is as it
was.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from .admin import Ask, ProxyAway
from .glance import duration, plain

__all__ = ["Console", "Terminal", "Top", "frame"]

_Told = Mapping[str, Any]

#: Between two looks, in seconds.
_PAUSE = 1.0

#: As wide as anything gets, and how many seconds are kept to be drawn.
_WIDEST = 200

_BARS = " ▁▂▃▄▅▆▇█"
_PLAIN_BARS = " .:-=+*#@"

#: Rates that are of interest by themselves, where they are counted.
_RATES = (
    ("misses", "without a route"),
    ("refusals", "refused"),
    ("upstream_failures", "targets that failed"),
    ("greeting_failures", "greetings that failed"),
    ("repeats", "sent again"),
    ("overflows", "too many"),
)


def frame(
    before: _Told | None,
    now: _Told,
    seconds: float,
    history: Sequence[float],
    size: tuple[int, int],
    bars: str = _BARS,
) -> list[str]:
    """
    What is to be seen.

    @param before: The last look, as C{GET /v1/status} told it; L{None}: there was none.
    @param now: This one.
    @param seconds: Between them.
    @param history: Requests a second, the newest last.
    @param size: Columns and lines.
    @param bars: Nine characters, from nothing to all.
    @return: No more lines than there is room for, none longer.
    """
    width, height = size
    lines = [*_head(now), "", *_traffic(before, now, seconds, history, width, bars), ""]
    lines += [*_processes(now), *_certificates(now), *_routes(before, now, seconds)]
    room = max(1, height - 1)
    if len(lines) > room:
        lines = [*lines[: room - 1], "..."] if room > 1 else lines[:1]
    return [line[:width] for line in [*lines, "q quits"][:height]]


def rate(before: _Told | None, now: _Told, name: str, seconds: float) -> float:
    """
    How much of something there was in a second.
    """
    if before is None or seconds <= 0 or before["process"] != now["process"]:
        return 0.0
    counts = before["connections"]["counts"], now["connections"]["counts"]
    # Of a worker that was killed a little is lost: no rate is negative.
    return max(0.0, float(counts[1].get(name, 0) - counts[0].get(name, 0)) / seconds)


def _head(now: _Told) -> Iterator[str]:
    ready = "ready" if now["ready"] else f"NOT READY: {plain(now['reason'])}"
    which = f"smartproxy {plain(now['version'])}  process {now['process']}"
    yield f"{which}  up {duration(now['uptime'])}  {ready}"


def _traffic(
    before: _Told | None, now: _Told, seconds: float, history: Sequence[float], width: int, bars: str
) -> Iterator[str]:
    connections = now["connections"]
    requests, new = rate(before, now, "requests", seconds), rate(before, now, "connections", seconds)
    yield f"requests     {requests:9.1f} /s   {connections['counts'].get('requests', 0)} since the start"
    yield f"connections  {connections['open']:9d} open of {connections['limit']}, {new:.1f} new /s"
    others = [(text, rate(before, now, name, seconds)) for name, text in _RATES]
    seen = [f"{value:.1f} /s {text}" for text, value in others if value]
    if seen:
        yield f"trouble      {', '.join(seen)}"
    shown = list(history)[-max(0, width - 13) :]
    most = max(shown, default=0.0)
    if most > 0:
        steps = len(bars) - 1
        drawn = "".join(bars[-(-int(value * steps * 1000 / most) // 1000)] for value in shown)
        yield f"up to {most:<7.5g}{drawn}"


def _processes(now: _Told) -> Iterator[str]:
    workers = now["workers"]
    if len(workers) < 2:
        return
    yield "worker  process  state"
    for each in workers:
        yield f"{each['number']:>6}  {each['process'] or '-':>7}  {plain(each['state'])}"
    yield ""


def _routes(before: _Told | None, now: _Told, seconds: float) -> Iterator[str]:
    """
    Those that have most to do just now.
    """
    told = now["connections"].get("routes", ())
    if not told:
        return
    old = {} if before is None else {each["route"]: each for each in before["connections"].get("routes", ())}
    isSame = before is not None and before["process"] == now["process"] and seconds > 0
    rows = []
    for each in told:
        was = old.get(each["route"])
        # Of one that was not among the busiest before nothing can be said yet.
        rates = [
            max(0.0, (each[name] - was[name]) / seconds) if isSame and was is not None else 0.0
            for name in ("requests", "failed", "streams", "sent")
        ]
        rows.append((rates, each))
    rows.sort(key=lambda row: (row[0][0] + row[0][2], row[1]["requests"] + row[1]["streams"]), reverse=True)
    yield ""
    yield "requests/s  failed/s  tunnels/s   sent/s  route"
    for (requests, failed, streams, sent), each in rows:
        name = plain(each["route"]) or "(none)"
        yield f"{requests:10.1f}  {failed:8.1f}  {streams:9.1f}  {_bytes(sent):>7}  {name}"


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"


def _certificates(now: _Told) -> Iterator[str]:
    told = now["certificates"]
    yield f"certificates  {told['wanted']} wanted, {told['valid']} valid, {told['failing']} failing"
    for each in told["problems"]:
        names = ", ".join(map(plain, each["names"])) or plain(each["key"])
        yield f"  {names}: {plain(each['state'])}: {plain(each['problem'])}"


class Console(Protocol):
    """
    What is looked at by somebody.
    """

    def size(self) -> tuple[int, int]:
        """
        Columns and lines, just now.
        """

    def write(self, lines: Sequence[str]) -> None:
        """
        Show these in place of all that was shown.
        """

    def key(self, seconds: float) -> str | None:
        """
        Wait for a key.

        @return: The key; empty when the size has changed; L{None} when the time is
            over.
        """


class Terminal:
    """
    A real one.
    """

    def __init__(self) -> None:
        """
        It is left alone as yet.
        """
        self._in, self._out = sys.stdin.fileno(), sys.stdout
        self._woken = -1

    @contextmanager
    def taken(self) -> Iterator[Terminal]:
        """
        Have all of it, for as long as this lasts.
        """
        settings = termios.tcgetattr(self._in)

        def take() -> None:
            tty.setcbreak(self._in)
            # The other screen, and no cursor.
            self._put("\x1b[?1049h\x1b[?25l")

        def leave() -> None:
            self._put("\x1b[?25h\x1b[?1049l")
            # What was typed meanwhile was meant for us.
            termios.tcsetattr(self._in, termios.TCSAFLUSH, settings)

        def suspend(*_: object) -> None:
            leave()
            # The one signal to stop that nobody can refuse, also where no shell looks after us.
            os.kill(os.getpid(), signal.SIGSTOP)
            take()

        self._woken, waking = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        before = signal.signal(signal.SIGWINCH, lambda *_: None)
        ending = signal.signal(signal.SIGTERM, _end)
        stopping = signal.signal(signal.SIGTSTP, suspend)
        wakeup = signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
        try:
            take()
            yield self
        finally:
            leave()
            signal.signal(signal.SIGTSTP, stopping)
            signal.set_wakeup_fd(wakeup)
            signal.signal(signal.SIGWINCH, before)
            signal.signal(signal.SIGTERM, ending)
            os.close(self._woken)
            os.close(waking)

    def size(self) -> tuple[int, int]:
        """
        See L{Console}.
        """
        found = os.get_terminal_size(self._out.fileno())
        return min(found.columns or 80, _WIDEST), found.lines or 24

    def write(self, lines: Sequence[str]) -> None:
        """
        See L{Console}.  Line by line over what was there, so that nothing flickers.
        """
        self._put("\x1b[H" + "\r\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J")

    def key(self, seconds: float) -> str | None:
        """
        See L{Console}.
        """
        ready, _, _ = select.select([self._in, self._woken], [], [], max(0.0, seconds))
        if self._woken in ready:
            os.read(self._woken, 512)
            return ""
        if self._in in ready:
            # Nothing: the terminal is gone, which is a way to quit.
            return os.read(self._in, 1).decode("latin-1") or "q"
        return None

    def _put(self, text: str) -> None:
        # Not by way of a buffer: a signal may come in its midst, and who acts on that writes too.
        rest = text.encode(self._out.encoding or "utf-8", "replace")
        while rest:
            rest = rest[os.write(self._out.fileno(), rest) :]


def _end(*_: object) -> None:
    raise KeyboardInterrupt


class Top:
    """
    One such look, as long as it lasts.
    """

    def __init__(
        self,
        ask: Ask,
        console: Console,
        clock: Callable[[], float] = time.monotonic,
        *,
        isUnicode: bool = True,
    ) -> None:
        """
        @param ask: Asks the proxy.
        @param console: Shows it.
        @param clock: Measures time.
        @param isUnicode: Whether the terminal has more than ASCII.
        """
        self._ask = ask
        self._console = console
        self._clock = clock
        self._bars = _BARS if isUnicode else _PLAIN_BARS
        self._before: _Told | None = None
        self._now: _Told | None = None
        self._at = 0.0
        self._seconds = 0.0
        self._away: str | None = None
        self._history: deque[float] = deque(maxlen=_WIDEST)

    def look(self) -> None:
        """
        Ask once.

        @raise ProxyAway: There is no answer.
        """
        answer = self._ask("GET", "/v1/status", {})
        if answer.error is not None:
            raise ProxyAway(answer.error)
        moment = self._clock()
        self._before, self._now = self._now, answer.members
        self._seconds, self._at = moment - self._at, moment
        if self._before is not None:
            self._history.append(rate(self._before, self._now, "requests", self._seconds))
        self._away = None

    def run(self) -> None:
        """
        Look, show, and wait for the next second, until somebody quits.
        """
        while True:
            self._show()
            if self._isOver(self._clock() + _PAUSE):
                return
            try:
                self.look()
            except ProxyAway as why:
                # It may be on its way back: what was seen last stays.
                self._away, self._before = str(why), None

    def _isOver(self, end: float) -> bool:
        while True:
            key = self._console.key(end - self._clock())
            if key is None:
                return False
            if key in ("q", "Q", "\x03", "\x04"):
                return True
            # Of another size, or a key that means nothing.
            self._show()

    def _show(self) -> None:
        size = self._console.size()
        lines: list[str] = []
        if self._away is not None:
            lines = [f"NO ANSWER: {plain(self._away)}"[: size[0]], ""][: size[1]]
        if self._now is not None:
            rest = size[0], size[1] - len(lines)
            if rest[1] > 0:
                lines += frame(self._before, self._now, self._seconds, self._history, rest, self._bars)
        self._console.write(lines)
