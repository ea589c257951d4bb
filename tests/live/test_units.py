"""
The units that are shipped: what systemd itself says of them, and whether the proxy can do
its work with no more system calls than they leave it.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from smartproxy_tw.cli import OK, main
from smartproxy_tw.commands.units import NAMES, program, shipped
from tests.live.running import PATIENCE
from tests.live.test_process import HERE, TWISTD, ProcessCase

ANALYZE = shutil.which("systemd-analyze")
NEEDS_SYSTEMD = None if ANALYZE else "needs the Debian package systemd"

#: Exposure, of 100, above which the hardening has become worse.
EXPOSURE = 20

#: Limits a process as SystemCallFilter= and RestrictAddressFamilies= do, for itself and all
#: that it begins, and becomes the program then.
SHIM = """
import ctypes, errno, os, sys

class Comparison(ctypes.Structure):
    _fields_ = [
        ("argument", ctypes.c_uint), ("how", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)
    ]

allowed, families = sys.argv[1].split(","), [int(word) for word in sys.argv[2].split(",")]
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
filter = ctypes.c_void_p(library.seccomp_init(0x50000 | errno.EPERM))

def allow(name, *comparisons):
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number >= 0:
        given = (Comparison * max(1, len(comparisons)))(*comparisons)
        assert not library.seccomp_rule_add_array(filter, 0x7FFF0000, number, len(comparisons), given)

for name in allowed:
    if name == "socket":
        for family in families:
            allow(name, Comparison(0, 4, family, 0))
    else:
        allow(name)
assert not library.seccomp_load(filter)
os.execv(sys.argv[3], sys.argv[3:])
"""

#: Tells what becomes of calls that are not allowed.
ATTEMPTS = """
import os, socket
for attempt in (
    lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    lambda: os.chown(".", os.getuid(), os.getgid()),
    lambda: os.chroot("."),
):
    try:
        attempt()
    except PermissionError:
        print("refused")
    else:
        print("done")
"""


def lacksLibrary() -> str | None:
    """
    Why no filter can be made here.
    """
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return "needs the Debian package libseccomp2"
    return NEEDS_SYSTEMD


def calls(*names: str) -> set[str]:
    """
    The system calls that groups stand for.
    """
    found: set[str] = set()
    for name in names:
        if not name.startswith("@"):
            found.add(name)
            continue
        assert ANALYZE is not None
        told = subprocess.run(
            [ANALYZE, "--no-pager", "syscall-filter", name],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        lines = [line.strip() for line in told.stdout.splitlines()[1:]]
        found |= calls(*(line for line in lines if line and not line.startswith("#")))
    return found


def valueOf(key: str) -> list[str]:
    """
    The words of a key of the service.
    """
    lines = [line for line in shipped(NAMES[0]).splitlines() if line.startswith(f"{key}=")]
    return [line.partition("=")[2] for line in lines]


def limited() -> list[str]:
    """
    A command that runs another one within the limits of the service.
    """
    allowed: set[str] = set()
    for value in valueOf("SystemCallFilter"):
        if value.startswith("~"):
            allowed -= calls(*value[1:].split())
        else:
            allowed |= calls(*value.split())
    kinds = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
    families = [str(kinds[word]) for value in valueOf("RestrictAddressFamilies") for word in value.split()]
    return [sys.executable, "-c", SHIM, ",".join(sorted(allowed)), ",".join(families)]


class AnalyzedTests(SynchronousTestCase):
    """
    What C{systemd-analyze} says.
    """

    skip = NEEDS_SYSTEMD

    def setUp(self) -> None:
        if not os.path.exists(program()):
            raise SkipTest(f"{program()} is not installed")
        self.directory = os.path.abspath(self.mktemp())
        os.makedirs(self.directory)
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(main(["init", "--systemd", self.directory, "/nowhere/proxy.yaml"]), OK)

    def analyze(self, *words: str) -> subprocess.CompletedProcess[str]:
        """
        Ask it.
        """
        assert ANALYZE is not None
        return subprocess.run(
            [ANALYZE, "--no-pager", *words],
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def test_verified(self) -> None:
        """
        It knows every key, and finds nothing wrong.
        """
        told = self.analyze("verify", *(os.path.join(self.directory, name) for name in NAMES))
        self.assertEqual((told.returncode, told.stdout, told.stderr), (0, "", ""))

    def test_exposure(self) -> None:
        """
        It finds little that an intruder could do.
        """
        unit = os.path.join(self.directory, NAMES[0])
        told = self.analyze("security", "--offline=true", f"--threshold={EXPOSURE}", unit)
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr)


class LimitedTests(ProcessCase):
    """
    Work within the limits.
    """

    skip = lacksLibrary()

    def test_limits(self) -> None:
        """
        What is not allowed is refused here as it would be there.
        """
        ran = self.end([*limited(), sys.executable, "-c", ATTEMPTS])
        self.assertEqual(ran.stdout.split(), ["refused"] * 3, ran.stderr)

    def test_demo(self) -> None:
        """
        A certificate is ordered, proved, stored and served.
        """
        with self.going([*limited(), *TWISTD, "-n", "--pidfile=", "smartproxy", "--demo"]) as process:
            self.until(process, "^curl --cacert ")
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)

    def test_workers(self) -> None:
        """
        Workers are begun, are handed the sockets and what they need, and serve HTTPS.
        """
        Path(self.directory / "proxy.yaml").write_text(
            "workers: 2\n"
            "state_dir: state\n"
            f"bind: [{HERE}]\n"
            "access_log: {file: access.log}\n"
            "routes:\n"
            "  - name: a\n"
            f"    match: {{ports: {self.https}, domains: [a.localhost]}}\n"
            "    action: {type: respond, body: ok, tls: {mode: terminate, certificate: internal}}\n"
        )
        words = [*TWISTD, "-n", "--pidfile=", "smartproxy", "--config", "proxy.yaml"]
        with self.going([*limited(), *words]) as process:
            self.until(process, "Admin socket at")
            self.shakeHands()
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
            assert process.stdout is not None
            self.assertNotIn("Traceback", process.stdout.read())
