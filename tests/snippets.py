"""
What the documents show: each piece with its place, its language, and, where it is typed into
a shell, the commands in it and what they are shown to print.

Who runs them: L{tests.test_documentation} what needs no process of its own, and
C{tests/live/test_documentation.py} the commands.
"""

from __future__ import annotations

import os
import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from twisted.trial.unittest import SkipTest

__all__ = [
    "CHECKOUT",
    "NOT_RUN",
    "NOT_TYPED",
    "Command",
    "Snippet",
    "commands",
    "documents",
    "pieces",
    "reasonFor",
    "snippets",
]

#: Where the checkout is: the tests run from a copy when a wheel is tested.
CHECKOUT = Path(os.environ.get("SMARTPROXY_TW_CHECKOUT") or Path(__file__).parent.parent)

_BLOCK = re.compile(
    r"^( *)(?:\.\. code-block:: *(\w+)\n(?:\1 +:[^\n]*\n)*|(?!\.\. )[^\n]*::\n)\n((?:(?:\1 {2,}[^\n]*)?\n)+)",
    re.MULTILINE,
)

#: What is typed and not run by a test of the documents: how it begins, and why.  Whatever is
#: not here is run.
NOT_RUN = {
    "python3 -m venv": "downloads and installs: C{.ci/run} and tox do, by the README's own words",
    "pip install": "the same",
    ".venv/bin/twistd -n smartproxy --demo": "by tests/live/test_readme.py, as pasted",
    "twistd -n smartproxy --site": "asks Let's Encrypt; its options are read by TypedTests",
    "python -m twisted.trial": "is what runs this test",
    "SMARTPROXY_TW_COSTS=1 python -m twisted.trial": "the same",
    "SMARTPROXY_TW_EXAMPLES=10 python -m twisted.trial": "the same, and takes long",
    "python -m benchmarks.": "takes minutes, on a machine that does nothing else",
    "systemctl": "changes this machine: tests/live/test_units.py and test_systemd.py do it elsewhere",
    "journalctl": "the same",
    "useradd": "the same",
    "smartproxy certificates import": "needs what certbot has left: tests/live/test_certbot.py",
    "install -d -m 700 /var/tmp/import": "the same",
    "cp -RL /etc/letsencrypt": "the same",
    "chown": "the same",
    "cd STATE_DIR": "certbot revokes what it has not issued: tests/live/test_certbot.py",
    "certbot": "the same",
    "rm shop.example.pem": "the same",
}

#: What stands in a block of text and is neither typed nor a configuration: how it begins,
#: and what it is.
NOT_TYPED = {
    'zone "shops.example"': "BIND's configuration: tests/live/test_dns.py has one like it",
    "option_files:": "a part of a section, which tests/records/test_lexicon.py has",
    "proofs.example.com.": "records of a zone",
    "#!/bin/sh": "an operator's program: tests/live/test_hooks.py has one like it",
    "Status:": "what systemctl shows: tests/service/test_notices.py",
    "Reloaded (SIGHUP):": "a line of the log: tests/live/test_reload.py",
    "smartproxy: Cannot listen": "a message: tests/live/test_process.py",
    "time=": "a line of the access log: tests/plane/test_lines.py",
    "# /etc/logrotate.d": "logrotate's configuration",
    "groups:": "Prometheus's configuration: tests/test_dashboard.py knows the figures",
    "bound          2 ms": "the demonstration's timeline: tests/live/test_readme.py",
}

#: Programs whose name at the beginning of a line says that the line is typed.
_PROGRAMS = re.compile(
    "certbot|chown|cp|curl|export|install|journalctl|kill|mkdir|mv|openssl|pebble|pebble-challtestsrv|pip"
    "|python3?|rm|smartproxy|source|sudo|systemctl|twistd?|useradd"
)

#: Variables that are set for one command.
_SETTINGS = re.compile(r"(?:[A-Z_]+=(?:\$\([^)]*\)|\S*) )*")


@dataclass(frozen=True, slots=True)
class Snippet:
    """
    A piece of a document.

    @ivar document: The name of its file.
    @ivar line: Where it begins, from 1.
    @ivar language: As it is marked; C{text} for what is not.
    @ivar text: Dedented.
    """

    document: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """
    What is typed.

    @ivar text: Without the prompt, and without what is said about it more than a space away.
    @ivar shown: The lines that it is shown to print.
    """

    text: str
    shown: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """
        Those that are the command's own, not the shell's: without C{sudo}, a path before the
        program, and what comes after it in a pipe.
        """
        text = _SETTINGS.sub("", self.text, count=1)
        if text.startswith("source <("):
            text = text.removeprefix("source <(").removesuffix(")")
        text = re.sub(r"^(?:sudo )?(?:[\w./]*/(?=\w))?", "", text.rpartition("&& ")[2])
        return list(takewhile(lambda word: word not in ("|", ">", "<", "&&", "&", ";"), shlex.split(text)))


def documents() -> list[Path]:
    """
    The README and every page of the manual.
    """
    if not (CHECKOUT / "README.rst").exists():
        raise SkipTest(f"no checkout at {CHECKOUT}")
    return [CHECKOUT / "README.rst", *sorted((CHECKOUT / "docs").glob("*.rst"))]


def pieces(document: str, text: str) -> Iterator[Snippet]:
    """
    All snippets of a text.

    @param document: Its name.
    """
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start(3)) + 1
        yield Snippet(document, line, found[2] or "text", textwrap.dedent(found[3]).strip("\n") + "\n")


def snippets(*languages: str) -> list[Snippet]:
    """
    Those of all documents in one of some languages; in all where none is named.
    """
    return [
        each
        for document in documents()
        for each in pieces(document.name, document.read_text())
        if not languages or each.language in languages
    ]


def commands(snippet: Snippet) -> list[Command]:
    """
    What a snippet has people type; nothing where it shows something else.
    """
    if snippet.language not in ("sh", "text") or snippet.text.startswith("#!"):
        return []
    found: list[tuple[str, list[str]]] = []
    for line in re.sub(r" *\\\n *", " ", snippet.text).splitlines():
        text = _typed(line)
        if text is not None:
            found.append((text, []))
        elif found and not line.startswith("# "):
            found[-1][1].append(line)
    return [Command(text, tuple(shown)) for text, shown in found]


def reasonFor(command: Command) -> str | None:
    """
    Why a command is not run; L{None}: it is.
    """
    return next((why for begins, why in NOT_RUN.items() if command.text.startswith(begins)), None)


def _typed(line: str) -> str | None:
    """
    The command in a line.
    """
    text = re.sub(r"^[$#] ", "", line)
    program, _, rest = _SETTINGS.sub("", text, count=1).partition(" ")
    if line.startswith("# ") and not rest:
        # It tells which file this is.
        return None
    if not _PROGRAMS.fullmatch(program.rpartition("/")[2]) and not line.startswith("$ "):
        return None
    # An answer begins with the name and the version, and units are edited in one piece.
    if re.match(r"\d", rest):
        return None
    return re.split(r" {2,}", text.removesuffix(" &"), maxsplit=1)[0]
