"""
The demo's command, pasted into a shell.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import smartproxy_tw

from .running import PATIENCE

PACKAGE = Path(smartproxy_tw.__file__).parent


class DemoTests(SynchronousTestCase):
    """
    With the real curl.
    """

    if shutil.which("curl") is None:
        skip = "needs the Debian package curl"

    def test_pasted(self) -> None:
        """
        The line works as it stands, in another directory, also when the usual
        ports are taken by another demo.
        """
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        if "SMARTPROXY_TW_INSTALLED" not in os.environ:
            environment["PYTHONPATH"] = str(PACKAGE.parent)
        directory = Path(self.mktemp()).resolve()
        directory.mkdir(parents=True)
        program = "from twisted.scripts.twistd import run; run()"
        commands = []
        for _ in range(2):
            process = subprocess.Popen(
                [sys.executable, "-c", program, "-n", "--pidfile=", "smartproxy", "--demo"],
                cwd=directory,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self.addCleanup(process.wait)
            self.addCleanup(process.terminate)
            assert process.stdout is not None
            self.addCleanup(process.stdout.close)
            commands.append(next((line for line in process.stdout if line.startswith("curl ")), ""))
        self.assertEqual(len(set(commands)), 2, commands)
        for command in commands:
            ran = subprocess.run(
                command, shell=True, cwd="/", capture_output=True, text=True, timeout=PATIENCE, check=False
            )
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertIn("Hello from the origin", ran.stdout)
