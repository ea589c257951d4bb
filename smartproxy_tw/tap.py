"""
C{twistd smartproxy} and C{twist smartproxy}: reads the command line, composes the
service, and is the one place that meets the global reactor.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

from twisted.python import usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twisted.application.service import IService
    from twisted.internet.defer import Deferred
    from twisted.logger import ILogObserver

    from .config.model import Config
    from .routing.steps import Steps
    from .service.announcer import Announcer, Wish
    from .service.deposit import Deposit
    from .service.eventlog import Verbosity
    from .service.handover import Heir
    from .service.inherited import Inherited
    from .service.status import CertificateStatus
    from .service.testator import Testator
    from .service.upgrading import Successor, Upgrading

__all__ = ["Options", "makeService"]

# What a stop may take besides its connections, in seconds: orders, hooks, workers.
_PATIENCE = 15.0


def _port(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 0 < number < 65536:
        raise ValueError("it is not a port: 1 to 65535 was expected")
    return number


class Options(usage.Options):
    """
    The command line.
    """

    synopsis = "[--config FILE | --site NAME=TARGET ... | --demo] [options]"
    longdesc = (
        "A reverse proxy that terminates TLS and routes by name, with certificates it obtains by itself."
        " No certificate is asked for before every port is bound and served."
        " With --site, each NAME is served over HTTPS with an automatic certificate, and plain HTTP"
        " redirects to it. With --config, everything is in the file."
    )

    optParameters = [
        ["config", "c", None, "Read the configuration from this file (.yaml, .toml or .json)."],
        ["acme-email", None, None, "Where the certificate authority may write to about the account."],
        [
            "acme-directory",
            None,
            None,
            "The certificate authority: letsencrypt, letsencrypt-staging or a URL. [default: letsencrypt]",
        ],
        ["acme-ca-file", None, None, "PEM file to trust for the directory's own HTTPS, for a private one."],
        ["http-port", None, None, "Where plain HTTP is served. [default: 80]", _port],
        ["https-port", None, None, "Where HTTPS is served. [default: 443]", _port],
        ["state-dir", None, None, "The directory for accounts and certificates."],
        [
            "log-format",
            None,
            None,
            "The event log: text, or json for one object on each line. [default: text]",
        ],
    ]

    optFlags = [
        ["www", None, "Redirect www.NAME to each NAME."],
        ["internal", None, "Take certificates from a local authority of our own instead of an ACME one."],
        ["demo", None, "Show it all on this machine: needs no root, no network and no other program."],
    ]

    #: What is said in the file, where there is one.
    _ofSites = (
        "site",
        "acme-email",
        "acme-directory",
        "acme-ca-file",
        "http-port",
        "https-port",
        "bind",
        "state-dir",
        "www",
        "internal",
    )

    def __init__(self) -> None:
        """
        Nothing was said yet.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.heir: Heir | None = None
        self.pidfile = ""
        self["site"] = []
        self["bind"] = []

    def opt_site(self, site: str) -> None:
        """
        Serve NAME=TARGET, for instance example.com=127.0.0.1:3000. May be given several times.
        """
        self["site"].append(site)

    def opt_bind(self, address: str) -> None:
        """
        Listen on this IP address only. May be given several times. [default: all, IPv4 and IPv6]
        """
        self["bind"].append(address)

    def opt_version(self) -> None:
        """
        Display the version and exit.
        """
        from . import __version__

        print(f"smartproxy_tw {__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        """
        Check what contradicts what.

        @raise UsageError: Something does.
        """
        parent = getattr(self, "parent", None)
        if parent is not None and parent.get("pidfile") and (heir := _heir()) is not None:
            # It names the process before, as it should until that has handed everything over; twistd would
            # not begin beside that one.
            self.heir, self.pidfile, parent["pidfile"] = heir, parent["pidfile"], ""
        if self["log-format"] not in (None, "text", "json"):
            raise usage.UsageError(f"--log-format is text or json, not {self['log-format']!r}.")
        ways = [way for way in ("config", "site", "demo") if self[way]]
        if not ways:
            raise usage.UsageError("Say what to serve: --config FILE, --site NAME=TARGET, or --demo.")
        if len(ways) > 1:
            raise usage.UsageError(f"--{ways[0]} and --{ways[1]} contradict each other: choose one.")
        if ways != ["site"]:
            given = [name for name in self._ofSites if self[name]]
            if given:
                place = "is said in the file, with" if ways == ["config"] else "is fixed with"
                raise usage.UsageError(f"--{given[0]} {place} --{ways[0]}.")


def makeService(options: Options) -> IService:
    """
    Compose what was asked for.

    @param options: Parsed; their C{parent} is what the runner was told.
    @return: Not started.
    @raise SystemExit: The configuration cannot be used; the text has all that is
        wrong with it.  Nothing has begun then.
    """
    runner = _Runner(options)
    if not runner.isProgram:
        return _makeService(options, runner, None)
    # First of all: what follows is not to inherit it once more.
    heir = options.heir or _heir()
    try:
        return _makeService(options, runner, heir)
    except SystemExit as why:
        if heir is not None:
            heir.fail(str(why))
        raise


def _makeService(options: Options, runner: _Runner, heir: Heir | None) -> IService:
    environ = dict(os.environ)
    inherited, wish = _handedOver() if runner.isProgram else (None, None)
    if heir is not None:
        inherited = heir.inherited
    if runner.isProgram:
        # Until it has started, see Process.
        gc.disable()
    # The other process is begun before there is a reactor, and reads while this one imports what follows.
    configuration = _aside(options["config"]) if runner.isProgram and options["config"] else None
    from twisted.internet import reactor

    from .acme.clocks import steady
    from .service.process import ExitStatus, Process, Terminal, hasTerminal

    steady(reactor)
    terminal = Terminal()
    subject: Any
    deposit = None
    if options["demo"]:
        from .testing.demo import Demo

        if runner.isDaemon:
            sys.exit("smartproxy: --demo shows things on the terminal: twistd -n smartproxy --demo")
        subject = Demo(reactor, terminal.say)
        logFormat = options["log-format"]
    else:
        # Needed soon after, and there is time for it now.
        import smartproxy_tw.control.local  # noqa: F401

        from .plane.poller import LINGER
        from .service.tree import SmartProxy

        config = _configuration(options, configuration)
        if wish is not None and wish.room:
            deposit = _deposit(wish, reactor, inherited)

        def upgrade(asker: str) -> Deferred[Successor]:
            assert upgrading is not None
            return upgrading.upgrade(asker)

        subject = SmartProxy(
            config,
            reactor,
            linger=LINGER,
            leave=reactor.stop,
            verbosity=runner.verbosity,
            inherited=inherited,
            heir=heir,
            upgrade=upgrade if runner.isProgram else None,
            deposit=deposit,
        )
        # A file that says text says what is usual, which twist takes for JSON
        # where there is no terminal.
        logFormat = options["log-format"] or ("json" if config.logFormat == "json" else None)
    observer = runner.observer(logFormat)
    if runner.isProgram:
        runner.onRotation(subject.reopenLogs)
    announcer = None if wish is None else _announcer(wish, reactor, subject)
    upgrading: Upgrading | None = None
    if runner.isProgram and not options["demo"]:
        upgrading = _upgrading(reactor, subject.testator, environ, runner, announcer, deposit)
    _succeed(heir, runner, deposit)
    return Process(
        subject,
        reactor.stop,
        terminal,
        ExitStatus(),
        observer=observer,
        isLogApart=runner.isLogApart,
        onHangup=_onHangup if runner.isProgram and not options["demo"] else lambda _: None,
        hasTerminal=hasTerminal,
        announcer=announcer,
        onUpgrade=_onUpgrade,
        upgrade=None if upgrading is None else upgrading.upgrade,
        onRefusal=(lambda _: None) if heir is None else heir.fail,
    )


def _upgrading(
    reactor: Any,
    testator: Testator,
    environ: dict[str, str],
    runner: _Runner,
    announcer: Announcer | None,
    deposit: Deposit | None,
) -> Upgrading:
    from .service.upgrading import Program, Upgrading

    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "WATCHDOG_PID"):
        environ.pop(name, None)
    program = Program(sys.executable, sys.orig_argv, os.getcwd(), environ)

    def announce(pid: int) -> None:
        if deposit is not None:
            deposit.end()
        if announcer is not None:
            announcer.succeeded(pid)

    found = Upgrading(reactor, testator, program, reactor.stop, forget=runner.forget, announce=announce)
    reactor.addSystemEventTrigger("before", "shutdown", found.stop)
    return found


def _heir() -> Heir | None:
    """
    Look whether this process is to take the place of another one.
    """
    if "SMARTPROXY_HANDOVER" not in os.environ:
        return None
    from .service.handover import heirIn

    return heirIn(os.environ)


def _succeed(heir: Heir | None, runner: _Runner, deposit: Deposit | None) -> None:
    """
    Have what only one process may do begin: now, or when there is no other any more.
    """

    def claim() -> None:
        runner.claim()
        if deposit is not None:
            deposit.begin()

    if heir is not None:
        heir.claim = claim
    elif deposit is not None:
        deposit.begin()


def _onHangup(act: Callable[[], None]) -> None:
    import signal

    _onSignal(signal.SIGHUP, act)


def _onUpgrade(act: Callable[[], None]) -> None:
    import signal

    _onSignal(signal.SIGUSR2, act)


def _onSignal(number: int, act: Callable[[], None]) -> None:
    import signal

    from twisted.internet import reactor

    signal.signal(
        number,
        lambda *_: reactor.callFromThread(act),  # type: ignore[attr-defined]
    )


def _handedOver() -> tuple[Inherited | None, Wish | None]:
    """
    What a service manager has given to this process.
    """
    inherited, wish = None, None
    if "LISTEN_PID" in os.environ or "LISTEN_FDS" in os.environ:
        from .service.inherited import inherit

        inherited = inherit(os.environ, os.getpid())
    if "NOTIFY_SOCKET" in os.environ:
        from .service.announcer import wishIn

        wish = wishIn(os.environ, os.getpid())
    return inherited, wish


def _deposit(wish: Wish, reactor: Any, inherited: Inherited | None) -> Deposit:
    from .service.announcer import Notifier
    from .service.deposit import Deposit

    names = () if inherited is None else inherited.left
    return Deposit(Notifier(wish.path).send, reactor, wish.room, names)


def _announcer(wish: Wish, reactor: Any, subject: Any) -> Announcer:
    from .service.announcer import Announcer, Notifier
    from .service.notices import summary

    send = Notifier(wish.path).send
    if not hasattr(subject, "certificates"):
        return Announcer(wish, send, reactor, lambda: summary((), (), time.time))

    def statuses() -> Iterator[CertificateStatus]:
        certificates = subject.certificates
        for key in () if certificates is None else certificates.keys:
            if (status := certificates.statusOf(key)) is not None:
                yield status

    def describe() -> Steps[str]:
        return summary([str(each) for each in subject.listeners.addresses], statuses(), time.time)

    patience = subject.config.timeouts.drain + _PATIENCE
    announcer = Announcer(wish, send, reactor, describe, patience=patience)
    subject.events.observe(announcer.changed)
    return announcer


def _aside(path: str) -> Callable[[], Config]:
    from .config.reading import Reading

    reading = Reading(path, _load)
    if len(os.sched_getaffinity(0)) == 1:
        # Nothing is gained by both at a time, and each would take the other's caches, and copies of what it
        # writes to.
        reading.wait()
    return reading.result


def _load(path: str) -> Config:
    from .config.loading import load

    return load(path)


def _configuration(options: Options, configuration: Callable[[], Config] | None) -> Config:
    from .config.errors import ConfigError

    try:
        if configuration is not None:
            return configuration()
        if options["config"]:
            from .config.loading import load

            return load(options["config"])
        return _fromSites(options)
    except (ConfigError, ValueError) as why:
        sys.exit(str(why))


def _fromSites(options: Options) -> Config:
    from .config.defaults import stateDir
    from .config.short import fromSites, splitSite

    return fromSites(
        [splitSite(site) for site in options["site"]],
        stateDir=options["state-dir"] or stateDir(os.environ),
        email=options["acme-email"],
        directory=options["acme-directory"],
        caFile=options["acme-ca-file"],
        httpPort=options["http-port"] or 80,
        tlsPort=options["https-port"] or 443,
        bind=options["bind"],
        www=bool(options["www"]),
        certificate="internal" if options["internal"] else "auto",
    )


class _Runner:
    """
    What C{twistd} or C{twist} was told about the log, before our options.
    """

    def __init__(self, options: Options) -> None:
        told = getattr(options, "parent", None)
        self._told: dict[str, Any] = {} if told is None else told
        self._isTwist = "fileLogObserverFactory" in self._told
        self._isTwistd = "nodaemon" in self._told
        self._pidfile = options.pidfile
        self._rotate: Callable[[], object] = lambda: None
        self._verbosity: Verbosity | None = None

    def forget(self) -> None:
        """
        Have the pidfile stay at the end: it is another process's.
        """
        if self._isTwistd:
            self._told["pidfile"] = ""

    def claim(self) -> None:
        """
        Have the pidfile name this process, which has taken the place of another one.
        """
        path = self._pidfile
        if not path:
            return
        number = b"%d" % os.getpid()
        try:
            # In one piece, and never cut to nothing first: there is no moment in which who reads it to send
            # a signal finds neither number.  The directory may be one in which we can put no other file.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                os.write(descriptor, number.ljust(os.fstat(descriptor).st_size, b"\n"))
                os.ftruncate(descriptor, len(number))
            finally:
                os.close(descriptor)
        except OSError as why:
            from twisted.logger import Logger

            Logger().warn(
                "{path} names the process before, since this one cannot write it: {why}",
                event="pidfile",
                path=path,
                why=why.strerror,
            )
        self._told["pidfile"] = path

    @property
    def isProgram(self) -> bool:
        """
        Whether this process is theirs, and so ours.
        """
        return self._isTwist or self._isTwistd

    @property
    def isDaemon(self) -> bool:
        """
        Whether the process leaves its terminal.
        """
        return self._isTwistd and not (self._told["nodaemon"] or self._told["debug"])

    @property
    def isLogApart(self) -> bool:
        """
        Whether the log goes elsewhere than to the terminal.
        """
        if self._isTwist:
            return self._told["logFile"] not in (sys.stdout, sys.stderr)
        return (
            self.isDaemon
            or self._told.get("logfile") not in (None, "", "-")
            or bool(self._told.get("syslog"))
            or bool(self._told.get("logger"))
        )

    @property
    def verbosity(self) -> Verbosity | None:
        """
        How much the log has; L{None} where that is for others to say.
        """
        isOurs = self._isTwistd and not self._told["logger"] and not self._told["syslog"]
        if isOurs and self._verbosity is None:
            from .service.eventlog import Verbosity

            self._verbosity = Verbosity()
        return self._verbosity

    def observer(self, logFormat: str | None) -> ILogObserver | None:
        """
        See to it that the log has the format that was asked for.

        @return: What C{twistd} is to log to; L{None} where it has its own.
        """
        if self._isTwist:
            self._tellTwist(logFormat)
            return None
        if not self._isTwistd or self._told["logger"]:
            return None
        if self._told["syslog"]:
            if logFormat == "json":
                sys.exit("smartproxy: the log is either JSON or syslog's: leave out one of them")
            return None
        from .service.eventlog import jsonLines, textLines

        verbosity, file = self.verbosity, self._file()
        assert verbosity is not None
        if logFormat is None and file is sys.stdout:
            from .service.journald import Journal, isJournal

            if isJournal(1, os.environ):
                return verbosity.on(Journal(file))
        return verbosity.on((jsonLines if logFormat == "json" else textLines)(file))

    def _tellTwist(self, logFormat: str | None) -> None:
        # On a terminal twist writes text and elsewhere JSON of its own; it asks
        # for the factory once the service is made, and has levels of its own.
        from twisted.logger import LogLevel

        from .service.eventlog import jsonLines, textLines, worthTelling

        lines = jsonLines if (logFormat or self._told["logFormat"]) == "json" else textLines
        self._told["fileLogObserverFactory"] = lambda file: worthTelling(lines(file), level=LogLevel.debug)

    def _file(self) -> TextIO:
        # As twistd chooses: it asks nobody else when it is given an observer.
        path = self._told["logfile"]
        if path == "-" or (not path and not self.isDaemon):
            return sys.stdout
        from .service.logfile import SharedLogFile

        try:
            found: Any = SharedLogFile.fromFullPath(path or "twistd.log")  # type: ignore[no-untyped-call]
        except OSError as why:
            sys.exit(f"smartproxy: the log file {why.filename} cannot be written: {why.strerror}")
        self._rotate = found.rotate
        return found  # type: ignore[no-any-return]

    def onRotation(self, reopen: Callable[[], object]) -> None:
        """
        Begin new log files when somebody wants that, by SIGUSR1.

        @param reopen: Begins those of the proxy.
        """
        import signal

        from twisted.internet import reactor

        def begin() -> None:
            self._rotate()
            reopen()

        if not signal.getsignal(signal.SIGUSR1):
            signal.signal(
                signal.SIGUSR1,
                lambda *_: reactor.callFromThread(begin),  # type: ignore[attr-defined]
            )
