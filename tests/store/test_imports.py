"""
Tests for L{smartproxy_tw.store.imports}.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc.jwk import ECKey
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.jose import AccountKey
from smartproxy_tw.acme.x509 import Signer, newKey
from smartproxy_tw.config.model import LETSENCRYPT, LETSENCRYPT_STAGING
from smartproxy_tw.facts import Credential
from smartproxy_tw.store.imports import FoundCertificate, Holding, objection, read

NOW = 1_800_000_000
DAY = 86400.0
SIGNER = Signer.create("Test root", now=NOW - 300 * DAY)
ACCOUNT = "https://acme-v02.api.letsencrypt.org/acme/acct/7"
SHOP = SIGNER.issue(("shop.example", "www.shop.example"), lifetime=90 * DAY, now=NOW)


def place(root: Path, **files: bytes | str) -> None:
    """
    Write files, whose names have C{__} where paths have a slash.
    """
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)


def der(key: bytes, form: PrivateFormat) -> str:
    """
    A private key as Traefik has it.
    """
    raw = load_pem_private_key(key, None).private_bytes(Encoding.DER, form, NoEncryption())
    return base64.b64encode(raw).decode()


def certbot(root: Path, credential: Credential, key: bytes, name: str = "shop.example") -> None:
    """
    A directory as certbot has it.
    """
    account = "accounts/acme-v02.api.letsencrypt.org/directory/0a1b"
    files: dict[str, bytes | str] = {
        f"live/{name}/fullchain.pem": credential.chain,
        f"live/{name}/privkey.pem": credential.key,
        "live/README": "Mind the links.",
        f"renewal/{name}.conf": f"[renewalparams]\nserver = {LETSENCRYPT}\n",
        f"{account}/private_key.json": json.dumps(ECKey.import_key(key).as_dict(private=True)),
        f"{account}/regr.json": json.dumps({"body": {}, "uri": ACCOUNT}),
    }
    place(root, **files)


def caddy(root: Path, credential: Credential, key: bytes) -> None:
    """
    A directory as Caddy has it.
    """
    site = "certificates/acme-v02.api.letsencrypt.org-directory/shop.example/shop.example"
    user = "acme/acme-v02.api.letsencrypt.org-directory/users/me@shop.example/me"
    files: dict[str, bytes | str] = {
        f"{site}.crt": credential.chain,
        f"{site}.key": credential.key,
        f"{site}.json": "{}",
        f"{user}.json": json.dumps({"status": "valid", "location": ACCOUNT}),
        f"{user}.key": key,
    }
    place(root, **files)


def traefik(file: Path, credential: Credential, key: str, *more: Any) -> None:
    """
    A file as Traefik has it.
    """
    entry = {
        "domain": {"main": "shop.example"},
        "certificate": base64.b64encode(credential.chain).decode(),
        "key": base64.b64encode(credential.key).decode(),
    }
    account = {"Email": "me@shop.example", "Registration": {"uri": ACCOUNT}, "PrivateKey": key}
    file.write_text(json.dumps({"le": {"Account": account, "Certificates": [*more, entry]}}))


class ReadTests(SynchronousTestCase):
    """
    The places of four programs.
    """

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.root.mkdir()
        self.key = newKey()

    def assertWhole(self, holding: Holding) -> None:
        """
        The certificate of the shop and the account are all that is there.
        """
        self.assertEqual([each.credential for each in holding.certificates], [SHOP])
        (account,) = holding.accounts
        self.assertEqual(account.account.url, ACCOUNT)
        self.assertEqual(AccountKey(account.account.key).thumbprint, AccountKey(self.key).thumbprint)
        self.assertEqual(holding.bad, ())
        self.assertEqual((account.isOf(LETSENCRYPT), account.isOf(LETSENCRYPT_STAGING)), (True, False))
        for found in holding.certificates:
            self.assertEqual(found.directoryIn((LETSENCRYPT_STAGING, LETSENCRYPT)), LETSENCRYPT)
            self.assertIsNone(found.directoryIn((LETSENCRYPT_STAGING,)))

    def test_certbot(self) -> None:
        """
        certbot's has live, renewal and accounts with a JWK.
        """
        certbot(self.root, SHOP, self.key)
        self.assertWhole(read(self.root))

    def test_caddy(self) -> None:
        """
        Caddy's has a directory for each authority.
        """
        caddy(self.root, SHOP, self.key)
        self.assertWhole(read(self.root))

    def test_traefik(self) -> None:
        """
        Traefik's is one file, with keys in DER of either form.
        """
        file = self.root / "acme.json"
        for form in (PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8):
            traefik(file, SHOP, der(self.key, form))
            self.assertWhole(read(file))

    def test_txacme(self) -> None:
        """
        txacme's has one file for each certificate, and says nothing of accounts.
        """
        (self.root / "shop.example.pem").write_bytes(SHOP.key + SHOP.chain)
        (self.root / "bad.pem").write_bytes(SHOP.chain)
        holding = read(self.root)
        self.assertEqual([each.credential for each in holding.certificates], [SHOP])
        self.assertEqual([each.where for each in holding.bad], ["bad.pem"])

    def test_badEntries(self) -> None:
        """
        What makes no sense is named, and the rest is found.
        """
        caddy(self.root, SHOP, b"nonsense")
        (self.root / "certificates/acme-v02.api.letsencrypt.org-directory/b.example").mkdir()
        lonely = "certificates/acme-v02.api.letsencrypt.org-directory/b.example/b.example.crt"
        (self.root / lonely).write_bytes(SHOP.chain)
        holding = read(self.root)
        self.assertEqual([each.credential for each in holding.certificates], [SHOP])
        self.assertEqual(
            [(each.where == lonely, each.isAccount) for each in holding.bad], [(True, False), (False, True)]
        )

    def test_badTraefikEntries(self) -> None:
        """
        An entry without a key, and an account whose key is too short, cost themselves alone.
        """
        file = self.root / "acme.json"
        private = rsa.generate_private_key(65537, 1024)
        raw = private.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        traefik(file, SHOP, base64.b64encode(raw).decode(), {"certificate": "AAAA"}, 7)
        holding = read(file)
        self.assertEqual([each.credential for each in holding.certificates], [SHOP])
        self.assertEqual([each.isAccount for each in holding.bad], [True, False, False])

    def test_noneOfThem(self) -> None:
        """
        A place that is nobody's is an error, and so is none.
        """
        self.assertRaises(ValueError, read, self.root)
        self.assertRaises(OSError, read, self.root / "missing")
        (self.root / "acme.json").write_text("[]")
        self.assertRaises(ValueError, read, self.root / "acme.json")

    def test_objection(self) -> None:
        """
        Time and authority speak against a certificate.
        """
        found, own = FoundCertificate("here", SHOP, LETSENCRYPT), (LETSENCRYPT,)
        self.assertIsNone(objection(found, own, NOW + DAY))
        self.assertIn("expired", objection(found, own, NOW + 91 * DAY) or "")
        self.assertIn("not valid before", objection(found, own, NOW - 10 * DAY) or "")
        self.assertIn("is from", objection(found, (LETSENCRYPT_STAGING,), NOW + DAY) or "")
        self.assertIsNone(objection(found, (LETSENCRYPT_STAGING, LETSENCRYPT), NOW + DAY))

    def test_notTrusted(self) -> None:
        """
        A certificate for trying things out is not taken where nothing but its
        issuer's name tells that it is one.
        """
        staging = Signer.create("(STAGING) Ersatz Edamame", now=NOW).issue(("a.b",), lifetime=DAY, now=NOW)
        why = objection(FoundCertificate("here", staging), (LETSENCRYPT,), NOW + 1)
        self.assertIn("no browser trusts", why or "")
