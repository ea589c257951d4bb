"""
The README's first command, as it stands there, and the curl command that it prints.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import smartproxy_tw

from ..interrupts import interruptible
from .running import PATIENCE

#: Where the checkout is: the tests run from a copy when a wheel is tested.
CHECKOUT = Path(os.environ.get("SMARTPROXY_TW_CHECKOUT") or Path(__file__).parent.parent.parent)


class ReadmeTests(SynchronousTestCase):
    """
    What the README has the reader paste.
    """

    def startDemo(self) -> subprocess.Popen[str]:
        """
        Run the last part of the first command, with the programs of this
        environment, from a directory that has nothing to do with us.
        """
        if not (CHECKOUT / "README.rst").exists():
            raise SkipTest(f"no checkout at {CHECKOUT}")
        if shutil.which("curl") is None:
            raise SkipTest("needs the Debian package curl")
        readme = (CHECKOUT / "README.rst").read_text()
        words = re.findall(r"^ +python3 -m venv .* && (\S*twistd .*)$", readme, re.MULTILINE)[0].split()
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        if "SMARTPROXY_TW_INSTALLED" not in os.environ:
            environment["PYTHONPATH"] = str(Path(smartproxy_tw.__file__).parent.parent)
        elsewhere = self.mktemp()
        os.makedirs(elsewhere)
        with interruptible():
            demo = subprocess.Popen(
                [Path(sys.executable).parent / Path(words[0]).name, *words[1:]],
                cwd=elsewhere,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        tooLate = threading.Timer(PATIENCE, demo.kill)
        tooLate.start()
        self.addCleanup(demo.stdout.close)
        self.addCleanup(demo.wait)
        self.addCleanup(demo.kill)
        self.addCleanup(tooLate.cancel)
        return demo

    def test_demo(self) -> None:
        """
        The demonstration prints a curl command that works as pasted, ends cleanly
        on Control-C, and leaves nothing behind.
        """
        demo = self.startDemo()
        said = []
        for line in demo.stdout:
            said.append(line)
            if line.startswith("curl "):
                break
        else:
            self.fail("it printed no curl command:\n" + "".join(said))
        timeline = "".join(said)
        places = [timeline.find(word) for word in ("bound", "adopted", "presented", "installed")]
        self.assertNotIn(-1, places, timeline)
        self.assertEqual(places, sorted(places), timeline)

        root = Path(re.search(r"--cacert '?([^ ']+)", line)[1])
        self.assertTrue(root.is_absolute() and root.exists(), root)
        pasted = subprocess.run(
            ["sh", "-c", line.replace("curl ", f"curl -sS -i --max-time {PATIENCE} ", 1)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual(pasted.returncode, 0, pasted.stderr)
        self.assertRegex(pasted.stdout, r"\AHTTP/(?:1\.1|2) 200 ")

        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
        # twistd stops in good order, and ends by the signal then.
        self.assertIn(demo.wait(), (0, -signal.SIGINT), timeline + rest)
        self.assertNotIn("Traceback", timeline + rest)
        self.assertFalse(root.exists(), "the temporary directory is still there")
