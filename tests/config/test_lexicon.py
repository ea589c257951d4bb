"""
Tests for L{smartproxy_tw.config.lexicon}, with the library as it is installed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import lexicon
from smartproxy_tw.config.lexicon import isSecret, isThere, missingFor, optionsOf, providers


class KnownTests(SynchronousTestCase):
    """
    What is there.
    """

    skip = None if isThere() else "needs the library dns-lexicon"

    def test_providers(self) -> None:
        """
        All providers are known, and nothing else that lies beside them.
        """
        found = providers()
        self.assertGreater(len(found), 50)
        for name in ("cloudflare", "route53", "linode4", "ddns"):
            self.assertIn(name, found)
        for name in ("auto", "__init__", "base"):
            self.assertNotIn(name, found)

    def test_options(self) -> None:
        """
        The options of one are those of its command line; one that borrows them from
        another, as some do in some releases, says nothing, nor does one that is not there.
        """
        self.assertEqual(optionsOf("cloudflare"), ("auth_token", "auth_username", "zone_id"))
        self.assertIn(optionsOf("linode4"), ((), ("auth_token",)))
        self.assertEqual(optionsOf("nobody"), ())

    def test_asTheLibrary(self) -> None:
        """
        What is read from the text is what the library has, for every provider whose
        own libraries are there.
        """
        from argparse import ArgumentParser
        from importlib import import_module

        for name in providers():
            found = optionsOf(name)
            if not found or missingFor(name):
                continue
            parser = ArgumentParser(add_help=False)
            import_module(f"lexicon._private.providers.{name}").Provider.configure_parser(parser)
            self.assertEqual(set(found), set(vars(parser.parse_args([]))), name)

    def test_missing(self) -> None:
        """
        A provider that needs more than the library does says so.
        """
        self.assertFalse(missingFor("cloudflare"))
        self.assertTrue(missingFor("oci"))

    def test_nothingImported(self) -> None:
        """
        The library is not imported for any of this.
        """
        from tests.test_layers import inFreshInterpreter

        code = (
            "import sys; from smartproxy_tw.config.lexicon import *;"
            "print(len(providers()), optionsOf('gandi'), missingFor('oci'), 'lexicon' in sys.modules)"
        )
        ran = inFreshInterpreter(code)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertTrue(ran.stdout.endswith("True False\n"), ran.stdout)


class OtherwiseTests(SynchronousTestCase):
    """
    Where it is not as it is known here.
    """

    def test_secrets(self) -> None:
        """
        What is secret goes by the name.
        """
        for name in ("auth_token", "auth_password", "auth_psw", "api_key", "auth_access_secret", "auth_2fa"):
            self.assertTrue(isSecret(name), name)
        for name in (
            "auth_username",
            "zone_id",
            "auth_key_id",
            "auth_config_file",
            "filename",
            "ddns_server",
        ):
            self.assertFalse(isSecret(name), name)

    def test_laidOut(self) -> None:
        """
        A library that is laid out otherwise, or has a file that cannot be read, costs
        nothing but the check.
        """
        place = Path(self.mktemp()).absolute()
        (place / "lexicon").mkdir(parents=True)
        (place / "lexicon" / "__init__.py").touch()
        self.patch(sys, "path", [str(place)])
        self.addCleanup(sys.path_importer_cache.pop, str(place), None)
        self.assertTrue(isThere() or "lexicon" in sys.modules)
        if "lexicon" not in sys.modules:
            self.assertEqual((providers(), optionsOf("ours")), ((), ()))
        below = place / "providers"
        below.mkdir()
        self.patch(lexicon, "_directory", lambda: os.fspath(below))
        for content in (b"def", b"\0", b"\xff\xfe", b"parser.add_argument(name)\nadd_argument('--b')"):
            (below / "ours.py").write_bytes(content)
            self.assertEqual(optionsOf("ours"), ())
        self.assertEqual(providers(), ("ours",))
