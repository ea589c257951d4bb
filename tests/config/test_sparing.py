"""
Tests for L{smartproxy_tw.config.sparing}.
"""

from __future__ import annotations

import pickle
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.errors import ConfigError
from smartproxy_tw.config.loading import load

from ..test_layers import inFreshInterpreter

#: Something of every section, and something wrong of many kinds.
FILES = (
    "routes: [{match: {ports: 8}, action: {type: forward, targets: 9}}]\n",
    """
    state_dir: s
    workers: auto
    bind: [127.0.0.1, '::1']
    access_log: {format: json, file: log}
    timeouts: {head: 1.5}
    limits: {connections: 0x10}
    trusted_proxies: [10.0.0.0/8, fd00::/8]
    acme: {email: a@b.example, challenges: [http-01], key_type: both}
    defaults: {security: {rate_limit: {requests: 5, window: 1}}}
    sites:
      a.example: {to: ['127.0.0.1:1', '127.0.0.1:2'], www: redirect, load_balancing: ip-hash, compress: true}
    routes:
    - match: {ports: {from: 80, to: 82}, path: /a/:b, headers: {x-a: '/^1/'}, client_ip: 10.0.0.0/8}
      action: {type: redirect, to: 'https://{domain}{path}', status: 301}
      cors: {origins: 'https://a.example'}
      security_headers: true
    - match: {ports: 443, domains: '*.b.example'}
      action: {type: forward, targets: [{host: h, port: 1, weight: 2, tls: true}], tls: {mode: passthrough}}
      timeouts: {idle: never}
    """,
    "routes: [{match: {ports: 0}, action: {type: forward, targets: 9}}]\nbnid: 1\nsites: {a..b: x:y:z}\n",
    "acme: {emial: x, challenges: [], dns: {type: x}}\nlimits: {url_bytes: no}\nroutes: 3\n",
    "routes: [{match: {ports: [1, 1]}, action: {type: respond, status: .inf, headers: {a: [~]}}, cors: 3}]\n",
    "routes: {\n",
    "a: \x07\n",
)

#: What comes of each file, as a process comes to it.
_READ = """
import dataclasses, os, pickle, re, sys, typing, typing_extensions
before = re.compile, dataclasses.dataclass, typing.TypedDict, typing_extensions.TypedDict
from smartproxy_tw.config import sparing
if sys.argv[1] == "broken":
    sys.modules["pydantic.types"] = None
    try:
        sparing.spare(isYAML=True)
    except ImportError:
        pass
    else:
        sys.exit("nothing was wrong")
else:
    sparing.spare(isYAML=True)
assert (re.compile, dataclasses.dataclass, typing.TypedDict, typing_extensions.TypedDict) == before
assert "importlib.metadata" not in sys.modules
if sys.argv[1] == "broken":
    sys.exit()
from smartproxy_tw.config.errors import ConfigError
from smartproxy_tw.config.loading import load
found = []
for path in sys.argv[1:]:
    try:
        found.append(load(path))
    except ConfigError as why:
        found.append(why.problems)
print(pickle.dumps(found).hex())
"""


class SpareTests(SynchronousTestCase):
    """
    Libraries that are imported for less.
    """

    def test_same(self) -> None:
        """
        What they read, and what they find wrong, is what they read and find otherwise.
        """
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        paths, usual = [], []
        for number, text in enumerate(FILES):
            path = directory / f"{number}.yaml"
            path.write_text(text)
            paths.append(str(path))
            try:
                usual.append(load(str(path)))
            except ConfigError as why:
                usual.append(why.problems)  # type: ignore[arg-type]
        ended = inFreshInterpreter(_READ, *paths)
        self.assertEqual(ended.stderr, "")
        for text, found, expected in zip(
            FILES, pickle.loads(bytes.fromhex(ended.stdout)), usual, strict=True
        ):
            self.assertEqual(found, expected, text)
        self.assertEqual(sum(isinstance(each, tuple) for each in usual), 5)

    def test_restored(self) -> None:
        """
        What was put in place of others for that is gone afterwards, also where it fails.
        """
        ended = inFreshInterpreter(_READ, "broken")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))

    def test_unchanged(self) -> None:
        """
        Plug-ins find time zones where they are otherwise, or where it is said that they are, and a file finds
        the variables that there are.
        """
        code = (
            "import os, sys; from smartproxy_tw.config import sparing\n"
            "if sys.argv[2:]: os.environ['PYTHONTZPATH'] = sys.argv[2]\n"
            "before = dict(os.environ)\n"
            "if sys.argv[1] == 'spare': sparing.spare(isYAML=True)\n"
            "assert dict(os.environ) == before; import zoneinfo; print(zoneinfo.TZPATH)"
        )
        for told in ((), ("/nowhere",)):
            usual, spared = (inFreshInterpreter(code, way, *told) for way in ("usual", "spare"))
            self.assertEqual((spared.stdout, spared.stderr), (usual.stdout, ""))

    def test_untyped(self) -> None:
        """
        The dictionaries of pydantic are not compiled.
        """
        code = (
            "from smartproxy_tw.config import sparing; sparing.spare(isYAML=False); "
            "from pydantic_core import core_schema; print(type(core_schema.StringSchema).__name__)"
        )
        ended = inFreshInterpreter(code)
        self.assertEqual((ended.stdout, ended.stderr), ("type\n", ""))
