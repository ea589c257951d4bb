"""
The words of the commands that look after a running proxy.  It is imported with the
parser, so that it imports nothing itself.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, _SubParsersAction

__all__ = ["addOperations"]

_SPEAKING = "Run it as the user who runs the proxy, or as root."


def addOperations(commands: _SubParsersAction[ArgumentParser], defaultFile: str) -> None:
    """
    Add them.

    @param commands: Where to.
    @param defaultFile: The configuration where none is named.
    """
    status = commands.add_parser(
        "status",
        help="tell how the running proxy stands, at a glance",
        description="Tell how the running proxy stands: what is served, and what fails and why. The status is"
        " 0 when all is well, 1 when something fails, 4 when no proxy answers. " + _SPEAKING,
    )
    status.add_argument("--json", action="store_true", help="all that is known, for programs")
    top = commands.add_parser(
        "top",
        help="show what the running proxy does, every second; q quits",
        description="Show on a terminal what the running proxy does, anew every second: requests,"
        " connections, workers, certificates. q quits. " + _SPEAKING,
    )
    drain = commands.add_parser(
        "drain",
        help="have the running proxy, or one of its targets, finish what it has",
        description="Have the running proxy say that it is not ready, accept nothing more, finish what it has"
        " within timeouts.drain, and end; wait for that. What starts it again at its end, as systemd may, is"
        " to be told otherwise. With --target the proxy goes on, and sends nothing new to that target. "
        + _SPEAKING,
    )
    drain.add_argument(
        "--target",
        metavar="TARGET",
        help="send nothing new to this target, as the configuration has it (10.0.0.7:3000), and wait until it"
        " has finished what it has",
    )
    drain.add_argument("--undo", action="store_true", help="with --target: give it its turns again")
    drain.add_argument(
        "--delay",
        metavar="SECONDS",
        type=_seconds,
        default=0.0,
        help="serve for so long first, and only say that it is not ready: for a balancer that looks",
    )
    drain.add_argument("--no-wait", dest="wait", action="store_false", help="do not wait for the end")
    upgrade = commands.add_parser(
        "upgrade",
        help="have another process take the place of the running proxy, with what is installed now",
        description="Have the running proxy begin another process, with what is installed now and the"
        " same command line, and hand its sockets over to it: nobody is refused. If that cannot serve,"
        " everything goes on as before, and it is told why. " + _SPEAKING,
    )
    for each in (status, top, drain, upgrade):
        each.add_argument("--socket", metavar="PATH", help="of the proxy; default: by its configuration")
        each.add_argument("-c", "--config", metavar="FILE", default=defaultFile, help="default: %(default)s")
    doctor = commands.add_parser(
        "doctor",
        help="find out why HTTPS does not work, and tell what to do",
        description="Look at all that HTTPS needs: the configuration, the state directory, the ports, the"
        " open files, the running proxy, the certificate authority and the clock, and for each name the DNS,"
        " who answers there, and CAA. Each line is ok, BAD or unknown, with what to do about it. Nothing is"
        " changed or ordered, and a proxy need not run. The status is 1 when something is bad. " + _SPEAKING,
    )
    doctor.add_argument(
        "names", metavar="NAME", nargs="*", help="of the configuration; default: the first 20"
    )
    doctor.add_argument("-c", "--config", metavar="FILE", default=defaultFile, help="default: %(default)s")
    completion = commands.add_parser(
        "completion",
        help="print what bash, zsh or fish needs to complete this command",
        description="Print a script by which the shell completes this command. For bash:"
        " source <(smartproxy completion bash)",
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), help="for which shell")


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 3600:
        raise ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 3600")
    return found
