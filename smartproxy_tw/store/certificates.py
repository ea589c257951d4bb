"""
Certificates at rest, as C{txacme.interfaces.ICertificateStore} has them: a name
leads to a list of C{pem} objects, the private key, its certificate, the chain.

L{DirectoryCertificates} keeps them as txacme does, each in one file
C{NAME.pem} of one directory, so that a directory of txacme's is read in place,
but with the care of L{SecureDirectory}.  L{Credentials} looks at any such store,
ours or somebody else's, with the eyes of the service: a certificate is known by
the set of its names, not by how its file is called.

A file that makes no sense costs its own certificate and no other.  What does not
belong together is never stored, so a good pair is never replaced by a broken one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from txacme.interfaces import ICertificateStore
from zope.interface import implementer

from ..acme.x509 import CertificateFacts, checkCredential
from ..config.model import Auto
from ..facts import Credential
from .naming import entryName

if TYPE_CHECKING:
    from .directory import SecureDirectory

__all__ = ["Credentials", "DirectoryCertificates", "Run", "credentialOf", "pemObjects"]

_SUFFIX = ".pem"
#: Follows the name of a second certificate; in the name of a host there is none.
_TWIN = "_rsa"

#: How work that waits for the disk is done: called with a function and its
#: arguments.
Run = Callable[..., "Deferred[Any]"]


def pemObjects(credential: Credential) -> list[Any]:
    """
    A credential in txacme's words: the key, its certificate, the chain.
    """
    import pem

    return [*pem.parse(credential.key), *pem.parse(credential.chain)]


def credentialOf(objects: Iterable[Any]) -> Credential:
    """
    What txacme's words say.

    @param objects: C{pem} objects, with one private key and, in their order,
        its certificate and the chain; others are passed over.
    @raise ValueError: There is not exactly one private key, or no certificate.
    """
    import pem

    found = list(objects)
    keys = [each for each in found if isinstance(each, pem.Key) and not isinstance(each, pem.PublicKey)]
    chain = [each for each in found if isinstance(each, pem.Certificate)]
    if len(keys) != 1 or not chain:
        raise ValueError(
            "One private key and at least one certificate are needed;"
            f" there are {len(keys)} and {len(chain)}."
        )
    return Credential(chain=b"".join(_line(each.as_bytes()) for each in chain), key=_line(keys[0].as_bytes()))


def _line(text: bytes) -> bytes:
    return text if text.endswith(b"\n") else text + b"\n"


@implementer(ICertificateStore)
class DirectoryCertificates:
    """
    Certificates in a directory, one file each.
    """

    _log = Logger()

    def __init__(self, directory: SecureDirectory, run: Run = maybeDeferred) -> None:
        """
        @param directory: Where the files are; open.
        @param run: How to do what waits for the disk:
            L{maybeDeferred}, or something that does it in a thread.
        """
        self._directory = directory
        self._run = run

    def pathOf(self, server_name: str) -> str:
        """
        Where an entry is, or would be.

        @param server_name: What the entry is called, see L{entryName}.
        @return: An absolute path.
        """
        return self._directory.pathOf(server_name + _SUFFIX)

    def get(self, server_name: str) -> Deferred[list[Any]]:
        """
        The C{pem} objects of one entry.

        @param server_name: What the entry is called, see L{entryName}.
        @return: Fails with L{KeyError} when there is none, L{ValueError} when
            it makes no sense or the name cannot be one, L{OSError} when it
            cannot be read.
        """
        return maybeDeferred(self._get, server_name)

    def store(self, server_name: str, pem_objects: Iterable[Any]) -> Deferred[None]:
        """
        Keep them durably, in place of what has that name.

        @return: Fails with L{ValueError} when the key and the certificates do
            not belong together or the name cannot be one, L{OSError} when they
            could not be written; what was there before then stays.
        """
        objects = list(pem_objects)
        return self._run(self._store, server_name, objects)

    def as_dict(self) -> Deferred[dict[str, list[Any]]]:
        """
        All of it, without the entries that make no sense: those are logged.

        @return: Fails with L{OSError} when the directory cannot be listed.
        """
        return maybeDeferred(self._all)

    def _get(self, name: str) -> list[Any]:
        import pem

        content = self._directory.read(name + _SUFFIX)
        if content is None:
            raise KeyError(name)
        objects = list(pem.parse(content))
        credentialOf(objects)
        return objects

    def _store(self, name: str, objects: list[Any]) -> None:
        credential = credentialOf(objects)
        checkCredential(credential)
        self._directory.write(name + _SUFFIX, credential.key + credential.chain)

    def _all(self) -> dict[str, list[Any]]:
        found = {}
        for entry in self._directory.names(_SUFFIX):
            name = entry[: -len(_SUFFIX)]
            try:
                found[name] = self._get(name)
            except KeyError:
                # A link that leads nowhere, or somebody has just taken it away.
                self._log.warn(
                    "{path} is passed over, there is no such file",
                    event="certificate-file-unusable",
                    path=self._directory.pathOf(entry),
                )
            except (OSError, ValueError) as why:
                self._log.warn(
                    "{path} is passed over, it holds no usable certificate: {why}",
                    event="certificate-file-unusable",
                    path=self._directory.pathOf(entry),
                    why=why,
                )
        return found


class Credentials:
    """
    Any C{ICertificateStore}, by sets of names.
    """

    _log = Logger()

    def __init__(self, certificates: ICertificateStore, isRSA: bool | None = None) -> None:
        """
        @param certificates: Where they rest.  It need not be one of ours.
        @param isRSA: Where there are two for the same names: whether these are
            the ones with a key of RSA, which are second, or the others.
            L{None}: there is one, whatever its key.
        """
        self._certificates = certificates
        self._isRSA = isRSA

    def load(self) -> Deferred[dict[str, Credential]]:
        """
        All that can be served, by the identity that
        L{Auto.key<smartproxy_tw.config.model.Auto.key>} gives to the names on
        the certificate.  Of several with the same names, the one that is valid
        longest.  What makes no sense is logged and left out.

        @return: Fails as the store fails.
        """
        return Deferred.fromCoroutine(self._load())

    def save(self, credential: Credential) -> Deferred[None]:
        """
        Keep a credential under the name that L{entryName} gives it.

        @return: Fails as the store fails, with L{ValueError} when key and
            certificate do not belong together.
        """
        return Deferred.fromCoroutine(self._save(credential))

    def fileOf(self, names: Iterable[str]) -> str | None:
        """
        The absolute path of the file that L{save} keeps a certificate in.

        @param names: What it is for.
        @return: L{None} where the store is not L{DirectoryCertificates}.
        """
        store = self._certificates
        return store.pathOf(self._entryOf(names)) if isinstance(store, DirectoryCertificates) else None

    async def _load(self) -> dict[str, Credential]:
        entries = await self._certificates.as_dict()
        found = self._byNames(entries)
        if self._isRSA:
            await self._move(entries, found.values())
        return found

    async def _move(self, entries: Mapping[str, object], found: Iterable[Credential]) -> None:
        """
        Have second certificates under names of their own: where they once were
        the only ones, the first ones will be.
        """
        for credential in found:
            if self._entryOf(checkCredential(credential).names) in entries:
                continue
            try:
                await self._save(credential)
            except (OSError, ValueError) as why:
                self._log.warn(
                    "A certificate with a key of RSA cannot be stored as the second one: {why}",
                    event="certificate-unsaved",
                    why=str(why),
                )

    async def _save(self, credential: Credential) -> None:
        facts = checkCredential(credential)
        if not facts.names:
            raise ValueError("The certificate is for no name at all.")
        await self._certificates.store(self._entryOf(facts.names), pemObjects(credential))

    def _entryOf(self, names: Iterable[str]) -> str:
        return entryName(names) + (_TWIN if self._isRSA else "")

    def _byNames(self, entries: Mapping[str, Iterable[Any]]) -> dict[str, Credential]:
        found: dict[str, tuple[CertificateFacts, Credential]] = {}
        for name, objects in sorted(entries.items()):
            try:
                credential = credentialOf(objects)
                facts = checkCredential(credential)
            except ValueError as why:
                self._log.warn(
                    "The certificate stored as {name!r} is passed over: {why}",
                    event="certificate-unusable",
                    name=name,
                    why=why,
                )
                continue
            if self._isRSA not in (None, facts.isRSA):
                continue
            key = Auto(tuple(set(facts.names)), isTwin=bool(self._isRSA)).key
            best = found.get(key)
            if best is None or best[0].notAfter < facts.notAfter:
                found[key] = facts, credential
        return {key: credential for key, (_, credential) in found.items()}
