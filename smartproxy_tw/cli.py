"""
The C{smartproxy} command: look at configurations and certificates, take certificates
over, and speak to the running proxy.

Running is C{twistd smartproxy}'s business; this command never opens a port.  Its
exit status is one of L{OK}, L{TROUBLE}, L{USAGE}, L{CONFIGURATION} and L{AWAY}, or 130.  Whatever
is slow to import is imported by the subcommand that needs it, so that C{--help}
and C{--version} answer at once.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from . import __version__
from .acme.reasons import REASONS
from .commands.arguments import addOperations

if TYPE_CHECKING:
    from .commands.preflight import Tell
    from .config.model import Config

__all__ = ["AWAY", "CONFIGURATION", "OK", "TROUBLE", "USAGE", "main"]

#: Everything went well.
OK = 0
#: It could not be done: a file that exists or cannot be written, a bad URL.  Or what was
#: looked at is not well.
TROUBLE = 1
#: The command line is wrong.
USAGE = 2
#: The configuration is wrong; every problem was told.
CONFIGURATION = 3
#: The proxy that was to do it does not run, or does not answer.
AWAY = 4
#: Somebody pressed Ctrl-C, as shells tell it.
_INTERRUPTED = 130

#: Why an output cannot be written, most often: there is no room for it.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

#: Who looks at a proxy does not wait longer for it, in seconds.
_SOON = 10.0

_DEFAULT_FILE = "smartproxy.yaml"

#: How OpenSSL says that a key belongs to another certificate.
_MISMATCHES = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")

#: What only looks at certificates.
_VERBS = {
    "list": "how it stands with each certificate: issuer, end, next renewal, state, last failure",
    "explain": "which certificate serves a name, who wants it, whose it is, and what comes next",
    "plan": "what would be ordered, in which order, when, and what holds it back",
}
_LOOKING = (
    "It is read from the configuration and the state directory, whether the proxy runs or not, and nothing is"
    " changed or asked of anybody. Run it as the user who runs the proxy."
)

_SPEAKING = "Run it as the user who runs the proxy, or as root."

_EPILOG = """\
exit status:
  0  all is well
  1  it could not be done (the message says why), or something that was looked at fails
  2  the command line is wrong
  3  the configuration is wrong (all problems are told)
  4  the running proxy was to do it, and there is none that answers
  130  it was interrupted

To run a configuration: twistd -n smartproxy --config smartproxy.yaml
"""


@cache
def _parser() -> argparse.ArgumentParser:
    # Nothing of it depends on where and when, and whoever calls main again does not wait for it.
    parser = argparse.ArgumentParser(
        prog="smartproxy",
        description="Look at configurations of smartproxy: check them, explain them, begin one. Look at "
        "certificates, take them over, and have the running proxy renew or revoke them. Look after the "
        "running proxy, and find out why HTTPS does not work.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"smartproxy {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    check = commands.add_parser(
        "check",
        help="tell all that is wrong with a configuration, or what it does",
        description="Read a configuration. Tell all that is wrong with it, each with file, line and column; "
        "or, when nothing is, what each port does. Nothing is opened or changed.",
    )
    which = check.add_mutually_exclusive_group()
    which.add_argument("file", metavar="FILE", nargs="?", default=_DEFAULT_FILE, help="default: %(default)s")
    which.add_argument("-c", "--config", metavar="FILE", help="the same, as the other commands take it")
    check.add_argument("-q", "--quiet", action="store_true", help="print nothing when nothing is wrong")

    explain = commands.add_parser(
        "explain",
        help="tell which route takes a URL, and why the others do not",
        description="Tell which route of a configuration takes a URL, what it does with it, and why each "
        "other route does not take it.",
    )
    explain.add_argument("-c", "--config", metavar="FILE", default=_DEFAULT_FILE, help="default: %(default)s")
    explain.add_argument(
        "url",
        metavar="URL",
        help="https://name/path, http://name/path, tls://name:port (any TLS) or tcp://name:port (no TLS)",
    )
    explain.add_argument("--method", default="GET", help="of the request, default: %(default)s")
    explain.add_argument(
        "--header",
        metavar="'NAME: VALUE'",
        action="append",
        default=[],
        help="a header field of the request; may be given several times",
    )
    explain.add_argument(
        "--client",
        metavar="ADDRESS",
        default="",
        help="where it comes from, an IP address; behind trusted proxies the client that they speak for",
    )
    explain.add_argument(
        "--tls-version", choices=["1.2", "1.3"], help="of the handshake, default: the highest that is spoken"
    )

    fmt = commands.add_parser(
        "fmt",
        help="lay a configuration in YAML out as those in the manual are",
        description="Lay configurations in YAML out: two spaces for each level, lists below their key, no "
        "trailing space. Comments, order and quotes stay. A file of which that would change the meaning, or "
        "lose a comment, is left alone, and told.",
    )
    fmt.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        default=[_DEFAULT_FILE],
        help=f"default: {_DEFAULT_FILE}; - is standard input, to standard output",
    )
    fmt.add_argument(
        "--check", action="store_true", help="change nothing; the status is 1 where there is work"
    )
    fmt.add_argument("--diff", action="store_true", help="the same, and show what would be different")

    commands.add_parser(
        "schema",
        help="print the JSON Schema of configurations, for editors",
        description="Print the JSON Schema (2020-12) of configurations: every option with type, bounds, "
        "default and meaning.",
    )

    init = commands.add_parser(
        "init",
        help="write a configuration to start with, or units for systemd",
        description="Write a configuration to start with, with comments; or, with --systemd, a service and a "
        "socket unit, with the paths of this installation and the ports of FILE, if that is there already. "
        "An existing file is never replaced.",
    )
    init.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help=f"default: {_DEFAULT_FILE}; with --systemd /etc/smartproxy/smartproxy.yaml",
    )
    init.add_argument(
        "--systemd", metavar="DIRECTORY", help="write units into it, for instance into /etc/systemd/system"
    )
    _addReload(commands)
    addOperations(commands, _DEFAULT_FILE)
    _addCertificates(commands)
    _addAccounts(commands)
    return parser


def _addReload(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    reload = commands.add_parser(
        "reload",
        help="have the running proxy read its configuration again, and tell what has changed",
        description="Have the running proxy read its configuration again. What stays goes on undisturbed;"
        " when anything is wrong, everything goes on as before. It is told what has changed, or why nothing"
        " has. " + _SPEAKING,
    )
    reload.add_argument("--dry-run", action="store_true", help="tell what would change, and change nothing")
    reload.add_argument("--socket", metavar="PATH", help="of the proxy; default: by its configuration")
    reload.add_argument("-c", "--config", metavar="FILE", default=_DEFAULT_FILE, help="default: %(default)s")


def _addCertificates(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    certificates = commands.add_parser(
        "certificates", help="look at certificates, renew, revoke, or take them over from another program"
    )
    verbs = certificates.add_subparsers(dest="verb", metavar="VERB", required=True)
    take = verbs.add_parser(
        "import",
        help="take certificates and the account from certbot, Caddy, Traefik or txacme",
        description="Take every certificate that is valid, fits its key and is the configured authority's, "
        "and the account there, into the state directory. What is there and valid longer stays. PATH is "
        "only read. Run it as the user who runs the proxy, while the proxy does not run.",
    )
    take.add_argument(
        "path",
        metavar="PATH",
        help="/etc/letsencrypt, Caddy's data directory, Traefik's acme.json, or a directory of txacme's",
    )
    take.add_argument("-c", "--config", metavar="FILE", default=_DEFAULT_FILE, help="default: %(default)s")
    take.add_argument("--dry-run", action="store_true", help="tell what would be taken, and change nothing")
    preflight = verbs.add_parser(
        "preflight",
        help="look whether orders can succeed: the DNS, who answers at each address, CAA",
        description="Look from here whether names can be proved and certified, and tell what is in the way "
        "and what to do. Nothing is ordered or changed; a proxy that runs is not disturbed, and need not run."
        " The status is 1 when something is bad.",
    )
    preflight.add_argument("names", metavar="NAME", nargs="*", help="of the configuration; default: all")
    preflight.add_argument(
        "-c", "--config", metavar="FILE", default=_DEFAULT_FILE, help="default: %(default)s"
    )
    for name, words in _VERBS.items():
        verb = verbs.add_parser(name, help=words, description=f"Tell {words}. {_LOOKING}")
        if name == "explain":
            verb.add_argument("name", metavar="NAME", help="as a client asks for it: shop.example")
        if name == "list":
            verb.add_argument("--json", action="store_true", help="all that is known, for programs")
        verb.add_argument(
            "-c", "--config", metavar="FILE", default=_DEFAULT_FILE, help="default: %(default)s"
        )
    _addDemands(verbs)


def _addDemands(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    renew = verbs.add_parser(
        "renew",
        help="have the running proxy renew certificates now, due or not",
        description="Have the running proxy order another certificate now, due or not, and wait until it is "
        "served and saved. What an authority asked to wait for is waited for in any case. " + _SPEAKING,
    )
    renew.add_argument("names", metavar="NAME", nargs="*", help="of a certificate: shop.example")
    renew.add_argument("--all", action="store_true", help="all certificates by ACME")
    renew.add_argument("--force", action="store_true", help="also if an order has just failed")
    revoke = verbs.add_parser(
        "revoke",
        help="have certificates declared invalid, and replaced at once",
        description="Have whoever issued a certificate declare it invalid. Another one, with another key, is "
        "ordered at once; until it is served the revoked one is. It cannot be undone. " + _SPEAKING,
    )
    revoke.add_argument("names", metavar="NAME", nargs="+", help="of a certificate: shop.example")
    revoke.add_argument("--reason", metavar="REASON", required=True, choices=REASONS, help=", ".join(REASONS))
    revoke.add_argument("--yes", action="store_true", help="do not ask")
    for verb in (renew, revoke):
        verb.add_argument("--socket", metavar="PATH", help="of the proxy; default: by its configuration")
        verb.add_argument(
            "--wait", action=argparse.BooleanOptionalAction, default=True, help="for the end of the orders"
        )
        verb.add_argument(
            "-c", "--config", metavar="FILE", default=_DEFAULT_FILE, help="default: %(default)s"
        )


def _addAccounts(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    accounts = commands.add_parser(
        "accounts", help="look at the accounts at authorities, give one a new key, or give one up"
    )
    verbs = accounts.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, words, more in (
        ("list", "list the account at each authority", ""),
        (
            "rollover",
            "give an account a new key",
            "The key is kept before the authority hears of it; it is refused while orders are under way. ",
        ),
        (
            "deactivate",
            "give an account up for good",
            "Certificates stay valid; the next order registers another account. It cannot be undone. ",
        ),
    ):
        verb = verbs.add_parser(
            name, help=words, description=f"Have the running proxy {words}. {more}{_SPEAKING}"
        )
        if name != "list":
            verb.add_argument(
                "--authority",
                metavar="URL",
                help="of its directory, or a part of that; needed where there are several",
            )
        if name == "deactivate":
            verb.add_argument("--yes", action="store_true", help="do not ask")
        verb.add_argument("--socket", metavar="PATH", help="of the proxy; default: by its configuration")
        verb.add_argument(
            "-c", "--config", metavar="FILE", default=_DEFAULT_FILE, help="default: %(default)s"
        )


def _complain(message: str) -> None:
    print(message, file=sys.stderr)


def _mismatches(config: Config) -> Iterator[str]:
    """
    Certificate files that no server could use, which only reading them can tell.
    """
    import ssl

    from .config.model import Files

    seen: set[Files] = set()
    for route in config.routes:
        source = route.tls.certificate if route.tls is not None else None
        if not isinstance(source, Files) or source in seen:
            continue
        seen.add(source)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # Strength is for the server's own policy to judge.
        try:
            # The password keeps OpenSSL from asking for one on the terminal.
            context.load_cert_chain(source.certificate, source.privateKey, password="")
        except (ssl.SSLError, ValueError) as why:
            reason = "one of them is not PEM of its kind, or the key is encrypted"
            if getattr(why, "reason", None) in _MISMATCHES:
                reason = "they do not belong together"
            pair = f"the certificate {source.certificate} and the key {source.privateKey}"
            yield f"route '{route.name}': {pair} cannot be used: {reason}"


def _unfound(config: Config) -> Iterator[str]:
    """
    What of Python gives targets and cannot be had, as far as that can be said without running it.
    """
    from .config.dotted import Reference
    from .config.model import Forward
    from .config.modules import importProblem

    for route in config.routes:
        for group in route.action.groups if isinstance(route.action, Forward) else ():
            dynamic = group.dynamic
            if dynamic is None:
                continue
            for each in (dynamic.decide, dynamic.host, dynamic.port):
                if isinstance(each, Reference):
                    why = importProblem(each.name, config.pythonPath)
                    if why is not None:
                        where = f" (line {route.line})" if route.line else ""
                        yield f"route '{route.name}'{where}: {each} {why}"


def _unusable(config: Config) -> Iterator[str]:
    """
    Files of authorities that the start would refuse, which likewise only reading
    them can tell.
    """
    import ssl

    from .config.model import Forward

    seen: set[str] = set()
    for route in config.routes:
        clients = route.tls.policy.clients if route.tls is not None else None
        groups = route.action.groups if isinstance(route.action, Forward) else ()
        trusted = [each.tls.caFile for each in groups if each.tls is not None and each.tls.verify]
        for file in (clients.caFile if clients is not None else None, *trusted):
            if file is None or file in seen:
                continue
            seen.add(file)
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
            except (OSError, ValueError):
                reason = "it is no PEM bundle of certificates"
                yield f"route '{route.name}': ca_file {file} cannot be used: {reason}"
    yield from _unfound(config)
    for authority in (config.acme, *config.acme.fallbacks):
        if authority.external is not None:
            from .acme.errors import ExternalAccountUnusable
            from .acme.external import readExternalKey

            try:
                readExternalKey(authority)
            except ExternalAccountUnusable as why:
                yield str(why)


def _check(file: str, isQuiet: bool) -> int:
    from .config.errors import ConfigError
    from .config.loading import load

    try:
        config = load(file)
    except ConfigError as why:
        _complain(str(why))
        number = len(why.problems)
        _complain(f"{file}: {number} problem{'' if number == 1 else 's'}")
        return CONFIGURATION
    mismatches = [*_mismatches(config), *_unusable(config)]
    if mismatches:
        _complain("\n".join(f"{file}: {mismatch}" for mismatch in mismatches))
        return CONFIGURATION
    if not isQuiet:
        from .config.summary import render

        sys.stdout.write(render(config, file))
    return OK


def _explain(options: argparse.Namespace) -> int:
    from .config.errors import ConfigError
    from .config.loading import load
    from .routing.explain import Circumstances, explain

    given = Circumstances(tuple(options.header), options.method, options.client, options.tls_version)
    try:
        config = load(options.config)
    except ConfigError as why:
        _complain(str(why))
        return CONFIGURATION
    try:
        sys.stdout.write(explain(config, options.url, given).render())
    except ValueError as why:
        _complain(f"smartproxy explain: {why}")
        return TROUBLE
    return OK


def _schema() -> int:
    import json

    from .config.schema import jsonSchema

    print(json.dumps(jsonSchema(), indent=2))
    return OK


def _init(file: str) -> int:
    from .config.template import TEMPLATE

    if os.path.splitext(file)[1].lower() not in (".yaml", ".yml"):
        _complain(
            f"smartproxy init: {file}: what is written is YAML, so the name has to end in .yaml or .yml"
        )
        return TROUBLE
    try:
        with open(file, "x", encoding="utf-8") as opened:
            opened.write(TEMPLATE.replace(_DEFAULT_FILE, file))
    except FileExistsError:
        _complain(f"smartproxy init: {file} exists already and is left as it is: name another file")
        return TROUBLE
    except (OSError, ValueError) as why:
        _complain(f"smartproxy init: {file} cannot be written: {getattr(why, 'strerror', None) or why}")
        return TROUBLE
    print(f"{file} is written. Name your site in it, then: smartproxy check {file}")
    return OK


def _units(directory: str, named: str | None) -> int:
    from .commands import units
    from .config.errors import ConfigError
    from .config.loading import load

    file, twistd = os.path.abspath(named or units.CONFIGURATION), units.program()
    config = None
    if os.path.exists(file):
        try:
            config = load(file)
        except ConfigError as why:
            _complain(str(why))
            return CONFIGURATION
    made = (units.serviceUnit(twistd, file), units.socketUnit(config))
    try:
        units.write(directory, dict(zip(units.NAMES, made, strict=True)))
    except FileExistsError as why:
        _complain(
            f"smartproxy init: {why.filename} exists already and is left as it is: remove it, or edit it"
        )
        return TROUBLE
    except (OSError, ValueError) as why:
        where = getattr(why, "filename", None) or directory
        reason = getattr(why, "strerror", None) or why
        _complain(f"smartproxy init: {where} cannot be written: {reason}")
        return TROUBLE
    print(units.steps(directory, twistd, file))
    return OK


def _certificates(options: argparse.Namespace) -> int:
    if options.verb in ("renew", "revoke"):
        return _demand(options)
    from .config.errors import ConfigError
    from .config.loading import load

    try:
        config = load(options.config)
    except ConfigError as why:
        _complain(str(why))
        return CONFIGURATION
    if options.verb == "import":
        from .commands.certificates import take

        return OK if take(config, options.path, isDry=options.dry_run) else TROUBLE
    if options.verb == "preflight":
        from twisted.internet import reactor

        from .commands.preflight import run

        return OK if run(reactor, config, options.names) else TROUBLE
    from .commands import report

    if options.verb == "list":
        isWell = report.show(config, asJSON=options.json)
    elif options.verb == "explain":
        isWell = report.explain(config, options.name)
    else:
        isWell = report.plan(config)
    return OK if isWell else TROUBLE


def _demand(options: argparse.Namespace) -> int:
    from .commands.admin import ProxyAway, asking
    from .commands.demands import Demands

    if options.verb == "renew" and options.all == bool(options.names):
        _complain("smartproxy certificates renew: name certificates, or say --all")
        return USAGE
    if options.verb == "revoke" and not (options.yes or sys.stdin.isatty()):
        _complain("smartproxy certificates revoke: there is nobody to ask whether it is meant: say --yes")
        return USAGE
    from .config.errors import ConfigError

    try:
        demands = Demands(asking(_socket(options)))
        if options.verb == "renew":
            isWell = demands.renew(
                options.names, isAll=options.all, isForced=options.force, isWaiting=options.wait
            )
        else:
            isWell = (options.yes or _isSure(demands.find(options.names), options.reason)) and demands.revoke(
                options.names, options.reason, isWaiting=options.wait
            )
    except ConfigError as why:
        _complain(str(why))
        return CONFIGURATION
    except ProxyAway as why:
        _complain(f"smartproxy certificates {options.verb}: {why}")
        return AWAY
    except KeyboardInterrupt:
        _complain("\nWhat was asked for goes on in the proxy: smartproxy certificates list")
        return _INTERRUPTED
    return OK if isWell else TROUBLE


def _accounts(options: argparse.Namespace) -> int:
    from .commands import accounts
    from .commands.admin import ProxyAway, asking
    from .config.errors import ConfigError

    if options.verb == "deactivate" and not (options.yes or sys.stdin.isatty()):
        _complain("smartproxy accounts deactivate: there is nobody to ask whether it is meant: say --yes")
        return USAGE
    try:
        ask = asking(_socket(options))
        if options.verb == "list":
            isWell = accounts.show(ask)
        elif options.verb == "rollover":
            isWell = accounts.rollover(ask, options.authority)
        else:
            confirm = (lambda question: True) if options.yes else _confirmed
            isWell = accounts.deactivate(ask, options.authority, confirm)
    except ConfigError as why:
        _complain(str(why))
        return CONFIGURATION
    except ProxyAway as why:
        _complain(f"smartproxy accounts {options.verb}: {why}")
        return AWAY
    except KeyboardInterrupt:
        _complain("\nWhat was asked for goes on in the proxy: smartproxy accounts list")
        return _INTERRUPTED
    return OK if isWell else TROUBLE


def _confirmed(question: str) -> bool:
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _divert(options: argparse.Namespace, path: str) -> bool:
    from .commands.admin import asking
    from .commands.diverting import divert, restore

    if options.undo:
        return restore(asking(path), options.target)
    return divert(asking(path), options.target, isWaiting=options.wait)


def _operate(options: argparse.Namespace) -> int:
    """
    Speak to the running proxy as a whole.
    """
    from .commands.admin import ProxyAway, asking
    from .config.errors import ConfigError

    if options.command == "top" and not (sys.stdin.isatty() and sys.stdout.isatty()):
        _complain("smartproxy top: needs a terminal. For programs there is smartproxy status --json")
        return USAGE
    if options.command == "drain" and options.undo and options.target is None:
        _complain("smartproxy drain: --undo needs --target: the end of the proxy cannot be taken back")
        return USAGE
    try:
        path = _socket(options)
        if options.command == "status":
            from .commands.glance import show

            return OK if show(asking(path, _SOON), asJSON=options.json) else TROUBLE
        if options.command == "drain" and options.target is not None:
            return OK if _divert(options, path) else TROUBLE
        if options.command == "drain":
            from .commands.draining import drain

            return OK if drain(asking(path), options.delay, isWaiting=options.wait) else TROUBLE
        if options.command == "upgrade":
            from .commands.upgrade import PATIENCE, upgrade

            return OK if upgrade(asking(path, PATIENCE), lambda other: asking(other, _SOON)) else TROUBLE
        from .commands.top import Terminal, Top

        terminal = Terminal()
        encoding = (sys.stdout.encoding or "").lower()
        top = Top(asking(path, _SOON), terminal, isUnicode=encoding.startswith("utf"))
        top.look()
        with terminal.taken():
            top.run()
    except ConfigError as why:
        _complain(str(why))
        return CONFIGURATION
    except ProxyAway as why:
        _complain(f"smartproxy {options.command}: {why}")
        return AWAY
    except KeyboardInterrupt:
        return OK if options.command == "top" else _INTERRUPTED
    return OK


def _examine(options: argparse.Namespace) -> int:
    from .commands.doctor import Doctor
    from .config.errors import ConfigError
    from .config.loading import load

    doctor, file = Doctor(), options.config
    try:
        config = load(file)
    except ConfigError as why:
        doctor.refuse(file, str(why).splitlines())
        return CONFIGURATION
    unusable = [*_mismatches(config), *_unusable(config)]
    if unusable:
        doctor.refuse(file, unusable)
        return CONFIGURATION

    def look(names: Sequence[str], tell: Tell) -> bool:
        from twisted.internet import reactor

        from .commands.preflight import run

        return run(reactor, config, names, tell)

    try:
        return OK if doctor.examine(config, file, options.names, look) else TROUBLE
    except KeyboardInterrupt:
        return _INTERRUPTED


def _complete(shell: str) -> int:
    from .commands.completion import script

    sys.stdout.write(script(shell, _parser()))
    return OK


def _reload(options: argparse.Namespace) -> int:
    from .commands.admin import ProxyAway, asking
    from .commands.reload import reload
    from .config.errors import ConfigError

    try:
        outcome = reload(asking(_socket(options)), isDry=options.dry_run)
    except ConfigError as why:
        _complain(str(why))
        return CONFIGURATION
    except ProxyAway as why:
        _complain(f"smartproxy reload: {why}")
        return AWAY
    except KeyboardInterrupt:
        _complain("\nThe reload goes on in the proxy: its log tells what comes of it")
        return _INTERRUPTED
    if outcome is None:
        return CONFIGURATION
    return OK if outcome else TROUBLE


def _socket(options: argparse.Namespace) -> str:
    """
    Where the proxy is spoken to.
    """
    if options.socket:
        return os.path.abspath(str(options.socket))
    if options.config == _DEFAULT_FILE and not os.path.lexists(_DEFAULT_FILE):
        # One that was started with --site has no file, and this is where it is spoken to.
        from .config.defaults import adminSocket, stateDir

        try:
            return adminSocket(stateDir(os.environ))
        except ValueError:
            pass  # What there is to say is said of the file.
    from .commands.admin import socketOf
    from .config.errors import ConfigError
    from .config.loading import load

    try:
        return socketOf(load(options.config))
    except ConfigError:
        _complain("The file that says where the running proxy is cannot be used; --socket says it, too:")
        raise


def _isSure(lines: Sequence[str], reason: str) -> bool:
    """
    Ask.

    @param lines: What is to be revoked; nothing is asked where there are none.
    """
    if not lines:
        return False
    print("\n".join(lines))
    if _confirmed(f"Revoke {'it' if len(lines) == 1 else 'them'} for good ({reason})?"):
        return True
    _complain("nothing was revoked")
    return False


def _run(options: argparse.Namespace) -> int:
    if options.command == "check":
        return _check(options.config or options.file, options.quiet)
    if options.command == "explain":
        return _explain(options)
    if options.command == "fmt":
        from .commands.formatting import fmt

        return OK if fmt(options.files, isCheck=options.check, isDiff=options.diff) else TROUBLE
    if options.command == "schema":
        return _schema()
    if options.command == "certificates":
        return _certificates(options)
    if options.command == "accounts":
        return _accounts(options)
    if options.command in ("status", "top", "drain", "upgrade"):
        return _operate(options)
    if options.command == "reload":
        return _reload(options)
    if options.command == "doctor":
        return _examine(options)
    if options.command == "completion":
        return _complete(options.shell)
    if options.systemd is not None:
        return _units(options.systemd, options.file)
    return _init(options.file or _DEFAULT_FILE)


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command.

    @param argv: The arguments without the name of the command; by default
        those of this process.
    @return: The exit status.
    """
    try:
        options = _parser().parse_args(argv)
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else OK
    try:
        status = _run(options)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        # Who has asked something of the proxy has been told what becomes of that.
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader has seen enough, as in "smartproxy schema | head".
        pass
    except OSError as why:
        if why.errno not in _UNWRITABLE:
            raise
        _complain(f"smartproxy {options.command}: what it says cannot be written: {why.strerror}")
    # What is left in the buffer must not be tried again at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return TROUBLE


if __name__ == "__main__":
    sys.exit(main())
