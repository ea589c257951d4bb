"""
What a start costs, in modules and classes: a guard that times nothing.

From C{exec} to the first answer is nearly all imports, and whoever adds one to a module that
everything imports has it in every start.  Each bound is a little above what was counted when it was
written; whoever has to raise one says in the change what is bought with that.
"""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ..ports import freePorts
from ..test_layers import inFreshInterpreter

#: What a program has of ours when it has done its work: modules, and classes of which there may be values.
_TOLD = """
import json, sys
from smartproxy_tw import values
def tell():
    ours = {name: each for name, each in sys.modules.items() if name.startswith("smartproxy_tw.")}
    kinds = {id(kind): kind for each in ours.values() for kind in list(vars(each).values())
             if isinstance(kind, type) and kind in values._plain}
    print(json.dumps({
        "ours": sorted(name.removeprefix("smartproxy_tw.") for name in ours),
        "others": sorted({name.partition(".")[0] for name in sys.modules}),
        "compiled": sorted(kind.__name__ for kind in kinds.values()
                           if not isinstance(vars(kind)["__init__"], values._Later)),
        "kinds": len(kinds),
    }))
"""

#: C{twistd smartproxy} until all that happens before its reactor runs has happened.
_SERVES = (
    _TOLD
    + """
from smartproxy_tw import tap
from smartproxy_tw.config import reading
make = tap.makeService
def makeService(options):
    made = make(options)
    from twisted.internet import reactor
    def running():
        print("", file=sys.__stdout__)
        sys.stdout = sys.__stdout__
        tell()
        sys.stdout.flush()
        reactor.stop()
    reactor.callWhenRunning(running)
    return made
tap.makeService = makeService
from twisted.scripts.twistd import run
sys.argv = ["twistd", "-n", "--pidfile=", "--logfile=" + sys.argv[2], "smartproxy", "--config", sys.argv[1]]
run()
"""
)

#: What the other process of a start does.
_READS = (
    _TOLD
    + """
from smartproxy_tw.config.loading import load
load(sys.argv[1])
tell()
"""
)


class StartTests(SynchronousTestCase):
    """
    A configuration of one route that forwards.
    """

    def counted(self, code: str) -> dict[str, Any]:
        """
        What a process has that does that.
        """
        directory = os.path.abspath(self.mktemp())
        os.mkdir(directory, 0o700)
        path = os.path.join(directory, "smartproxy.yaml")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"bind: 127.0.0.1\nstate_dir: {directory}/state\nroutes:\n")
            file.write(f"- {{match: {{ports: {freePorts(1)[0]}}}, action: {{type: forward, targets: 9}}}}\n")
        ended = inFreshInterpreter(code, path, os.path.join(directory, "log"))
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        found: dict[str, Any] = json.loads(ended.stdout.strip().rpartition("\n")[2])
        return found

    def test_serving(self) -> None:
        """
        The process that serves has nothing of what reads files, of what speaks to authorities, or of what
        comes with the first connection or failure that needs it.
        """
        found = self.counted(_SERVES)
        others = {"pydantic", "yaml", "tomllib", "treq", "joserfc", "dns", "josepy", "brotli", "zstandard"}
        self.assertEqual(others & set(found["others"]), set())
        later = {
            "acme.client",
            "acme.issuer",
            "config.schema",
            "config.loading",
            "plane.multiplex",
            "wire.http2",
        }
        later |= {
            "upstream.breaker",
            "upstream.shared",
            "guards.passage",
            "routing.explain",
            "control.supervisor",
        }
        self.assertEqual(later & set(found["ours"]), set())
        self.assertLessEqual(len(found["ours"]), 255, found["ours"])
        self.assertLessEqual(len(found["compiled"]), 32, (found["kinds"], found["compiled"]))

    def test_reading(self) -> None:
        """
        The process that reads has the sections that the file has, and little besides.
        """
        found = self.counted(_READS)
        self.assertEqual({"twisted", "OpenSSL", "cryptography"} & set(found["others"]), set())
        self.assertLessEqual(len(found["ours"]), 57, found["ours"])
        self.assertLessEqual(len(found["compiled"]), 22, (found["kinds"], found["compiled"]))
