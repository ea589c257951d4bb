"""
Certificates and accounts as other programs keep them: certbot, Caddy, Traefik and
txacme.  L{read} looks at such a place and tells what is in it; nothing there is
changed, and one entry that makes no sense costs no other.

Whether a certificate is worth taking is judged by L{objection}, which knows the
time and the authority that is asked from now on.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..facts import Account, Credential
from ..values import dataclass

__all__ = ["Bad", "FoundAccount", "FoundCertificate", "Holding", "day", "objection", "read"]


@dataclass(frozen=True, slots=True)
class FoundCertificate:
    """
    A key and its chain; whether they fit is not judged yet.

    @ivar where: The place in what was read, for people.
    @ivar credential: What lies there.
    @ivar authority: Who issued it, as the other program writes that: the URL of
        a directory, something made of it, or a URL without a path when only
        the host is known; L{None} when it does not say.
    """

    where: str
    credential: Credential
    authority: str | None = None

    def directoryIn(self, directories: Sequence[str]) -> str | None:
        """
        Who issued it, as far as can be told: of whom nothing is said, the
        first is believed to have.

        @param directories: The URLs of ACME directories.
        @return: One of them, or L{None}.
        """
        fitting = (each for each in directories if self.authority is None or _isSame(self.authority, each))
        return next(fitting, None)


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """
    An account, with a key that we can use.

    @ivar where: The place in what was read, for people.
    @ivar account: The account.
    @ivar authority: As in L{FoundCertificate}.
    """

    where: str
    account: Account
    authority: str

    def isOf(self, directory: str) -> bool:
        """
        Whether it is an account there.

        @param directory: The URL of an ACME directory.
        """
        return _isSame(self.authority, directory)


@dataclass(frozen=True, slots=True)
class Bad:
    """
    An entry that cannot be used.

    @ivar where: The place in what was read, for people.
    @ivar why: What is wrong with it.
    @ivar isAccount: Whether it was to be an account.
    """

    where: str
    why: str
    isAccount: bool = False


@dataclass(frozen=True, slots=True)
class Holding:
    """
    All that a place holds.

    @ivar kind: Whose it is, for people.
    @ivar certificates: In the order of their places.
    @ivar accounts: Likewise.
    @ivar bad: What cannot be used.
    """

    kind: str
    certificates: tuple[FoundCertificate, ...]
    accounts: tuple[FoundAccount, ...]
    bad: tuple[Bad, ...]


#: What the issuers of Let's Encrypt's staging environment are called, now and formerly.
_NOT_TRUSTED = ("(STAGING)", "Fake LE ")

_Found = FoundCertificate | FoundAccount | Bad


def read(path: Path) -> Holding:
    """
    Look at another program's place.

    @param path: The directory of certbot (with C{live}), of Caddy (with
        C{certificates}) or of txacme (with C{*.pem}), or Traefik's file.
    @raise OSError: It cannot be read.
    @raise ValueError: It is none of them.
    """
    kind, finder = _kind(path)
    found = list(finder(path))
    return Holding(
        kind,
        tuple(each for each in found if isinstance(each, FoundCertificate)),
        tuple(each for each in found if isinstance(each, FoundAccount)),
        tuple(each for each in found if isinstance(each, Bad)),
    )


def objection(found: FoundCertificate, directories: Sequence[str], now: float) -> str | None:
    """
    Why a certificate that fits its key is not taken all the same.

    @param found: One for which C{checkCredential} has nothing to say.
    @param directories: The URLs of the ACME directories that are asked from now on.
    @param now: POSIX seconds.
    @return: The reason, for people, or L{None}.
    """
    from ..acme.x509 import describe

    facts = describe(found.credential.chain)
    if not facts.names:
        return "it is for no name at all"
    if facts.notAfter <= now:
        return f"it expired on {day(facts.notAfter)}"
    if facts.notBefore > now:
        return f"it is not valid before {day(facts.notBefore)}"
    if found.authority is None and any(word in facts.issuer for word in _NOT_TRUSTED):
        return f"it is from {facts.issuer}, which no browser trusts"
    if found.directoryIn(directories) is None:
        return f"it is from {found.authority}, and the configuration asks {' and '.join(directories)}"
    return None


def day(seconds: float) -> str:
    """
    A date for people, in UTC.

    @param seconds: POSIX seconds.
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _kind(path: Path) -> tuple[str, Callable[[Path], Iterator[_Found]]]:
    if path.is_file():
        return "Traefik file", _traefik
    if (path / "live").is_dir():
        return "certbot directory", _certbot
    if (path / "certificates").is_dir():
        return "Caddy directory", _caddy
    if any(child.suffix == ".pem" for child in path.iterdir()):
        return "txacme directory", _txacme
    raise ValueError(
        "it is no certbot directory (with live/), no Caddy data directory (with certificates/),"
        " no txacme directory (with *.pem), and no file of Traefik's (acme.json)"
    )


def _certbot(path: Path) -> Iterator[_Found]:
    for place in sorted(each for each in (path / "live").iterdir() if each.is_dir()):
        yield _pair(
            path, place, place / "fullchain.pem", place / "privkey.pem", _server(path / "renewal", place.name)
        )
    for file in sorted((path / "accounts").glob("**/private_key.json")):
        where = file.parent.relative_to(path)
        try:
            url = json.loads((file.parent / "regr.json").read_bytes())["uri"]
            pem = _jwkPEM(json.loads(file.read_bytes()))
            yield FoundAccount(str(where), _account(pem, url), "/".join(where.parts[1:-1]))
        except (OSError, ValueError, LookupError, TypeError) as why:
            yield Bad(str(where), _reason(why), isAccount=True)


def _server(renewal: Path, name: str) -> str | None:
    try:
        text = (renewal / f"{name}.conf").read_text("utf-8")
    except (OSError, ValueError):
        return None
    found = re.search(r"^server\s*=\s*(\S+)", text, re.MULTILINE)
    return found[1] if found else None


def _caddy(path: Path) -> Iterator[_Found]:
    for file in sorted((path / "certificates").glob("*/*/*.crt")):
        yield _pair(path, file, file, file.with_suffix(".key"), file.parent.parent.name)
    for file in sorted((path / "acme").glob("*/users/*/*.json")):
        where = str(file.relative_to(path))
        try:
            url = json.loads(file.read_bytes())["location"]
            account = _account(file.with_suffix(".key").read_bytes(), url)
            yield FoundAccount(where, account, file.parent.parent.parent.name)
        except (OSError, ValueError, LookupError, TypeError) as why:
            yield Bad(where, _reason(why), isAccount=True)


def _traefik(path: Path) -> Iterator[_Found]:
    try:
        resolvers = json.loads(path.read_bytes())
    except ValueError as why:
        raise ValueError(f"it is no JSON, as Traefik's file would be: {why}") from why
    if not isinstance(resolvers, dict):
        raise ValueError("it is no JSON object, as Traefik's file would be")
    for name, resolver in resolvers.items():
        if not isinstance(resolver, dict):
            yield Bad(name, "it is no resolver")
            continue
        issuer = None
        account = resolver.get("Account")
        if account:
            try:
                uri = account["Registration"]["uri"]
                issuer = urlsplit(uri)._replace(path="").geturl()
                found = _account(_derPEM(base64.b64decode(account["PrivateKey"])), uri)
                yield FoundAccount(f"{name}: the account", found, issuer)
            except (ValueError, LookupError, TypeError) as why:
                yield Bad(f"{name}: the account", _reason(why), isAccount=True)
        certificates = resolver.get("Certificates") or ()
        for number, entry in enumerate(certificates if isinstance(certificates, list) else (), 1):
            where = f"{name}: certificate {number}"
            try:
                chain, key = base64.b64decode(entry["certificate"]), base64.b64decode(entry["key"])
                yield FoundCertificate(where, Credential(chain, key), issuer)
            except (ValueError, LookupError, TypeError) as why:
                yield Bad(where, _reason(why))


def _txacme(path: Path) -> Iterator[_Found]:
    import pem

    from .certificates import credentialOf

    for file in sorted(path.glob("*.pem")):
        try:
            yield FoundCertificate(file.name, credentialOf(pem.parse(file.read_bytes())))
        except (OSError, ValueError) as why:
            yield Bad(file.name, _reason(why))


def _pair(root: Path, place: Path, chain: Path, key: Path, authority: str | None) -> _Found:
    where = str(place.relative_to(root))
    try:
        return FoundCertificate(where, Credential(chain.read_bytes(), key.read_bytes()), authority)
    except OSError as why:
        return Bad(where, _reason(why))


def _account(pem: bytes, url: Any) -> Account:
    from ..acme.jose import AccountKey

    if not isinstance(url, str) or not urlsplit(url).hostname:
        raise ValueError("it has no URL")
    AccountKey(pem)
    return Account(key=pem, url=url)


def _jwkPEM(jwk: Any) -> bytes:
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, JWKRegistry, RSAKey

    try:
        key = JWKRegistry.import_key(jwk)
        if not isinstance(key, ECKey | RSAKey):
            raise ValueError("the key is neither EC nor RSA")
        return key.as_pem(private=True)
    except JoseError as why:
        raise ValueError(f"the key cannot be read: {why}") from why


def _derPEM(der: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_der_private_key,
    )

    return load_der_private_key(der, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _isSame(authority: str, directory: str) -> bool:
    wanted = urlsplit(directory)
    if "://" in authority:
        found = urlsplit(authority)
        return found.netloc == wanted.netloc and found.path in ("", wanted.path)
    return _squeezed(authority) == _squeezed(wanted.netloc + wanted.path)


def _squeezed(text: str) -> str:
    # A path on a disk cannot hold a URL as it is: each program has its own way.
    return re.sub(r"[^a-z0-9.]", "", text.lower())


def _reason(why: Exception) -> str:
    if isinstance(why, OSError):
        return f"{why.filename} cannot be read: {why.strerror}"
    if isinstance(why, LookupError):
        return f"there is no {why} in it"
    return str(why).rstrip(".")
