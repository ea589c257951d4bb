"""
Tests for L{smartproxy_tw.records.provider}.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.lexicon import isThere
from smartproxy_tw.records.provider import veiled

from ..examples import awkwardText, examples


class VeilTests(SynchronousTestCase):
    """
    Messages without secrets.
    """

    def test_forms(self) -> None:
        """
        A secret is not to be seen in any form that a URL may have it in; what is too
        short to be one stays.
        """
        secret = "a/b c&d"
        text = f"{secret} a/b%20c%26d a%2Fb%20c%26d a%2Fb+c%26d one\ntwo 1234"
        self.assertEqual(veiled(text, [secret, "1234"]), "*** *** *** *** one two 1234")
        self.assertEqual(veiled("secret-longer", ["secret", "secret-longer"]), "***")

    @examples()
    @given(awkwardText(20), awkwardText(20, 5), awkwardText(20))
    def test_anything(self, before: str, secret: str, after: str) -> None:
        """
        Wherever it stands, it is not told, and the message is one line.
        """
        said = veiled(f"{before}{secret}{after}", [secret])
        self.assertLessEqual(len(said), 403)
        self.assertNotIn("\n", said)
        if not set(secret) & {"*", ".", " "} and secret.split() == [secret]:
            self.assertNotIn(secret, said)


class MainTests(SynchronousTestCase):
    """
    The program, run as the proxy runs it.
    """

    def run_(self, **wanted: Any) -> subprocess.CompletedProcess[bytes]:
        """
        Have it do something.
        """
        usual = {"action": "present", "zone": "a.test", "owner": "x.a.test", "value": "v", "ttl": None}
        return subprocess.run(
            [sys.executable, "-m", "smartproxy_tw.records.provider"],
            check=False,
            input=json.dumps({**usual, **wanted}).encode(),
            capture_output=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(each or "." for each in sys.path)},
            cwd=os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
            timeout=60,
        )

    def test_refused(self) -> None:
        """
        Why it was not done is one line without a secret, and nothing else is written.
        """
        secret = "0123456789abcdef"
        done = self.run_(provider=f"no-{secret}", options={"auth_token": secret})
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertTrue(done.stderr)
        self.assertNotIn(b"\n", done.stderr)
        self.assertNotIn(secret.encode(), done.stderr)

    if not isThere():
        test_refused.skip = "needs the library dns-lexicon"  # type: ignore[attr-defined]
