"""
The certificates that are served, and the contexts that show them.

A certificate that is installed is kept as it came, as text: it is read when the
first client asks for it, so that ten thousand of them cost a start nothing and
stay small.  Of the contexts only those used last are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from ..config.model import twinOf
from .contexts import serverContext

if TYPE_CHECKING:
    from OpenSSL import SSL

    from ..config.model import TLSPolicy
    from ..facts import Credential

__all__ = ["MOST_CONTEXTS", "Showcase"]

_log = Logger()

#: So many contexts are kept: 22 MiB at most.  One more costs a handshake 0.8 ms
#: and those clients their tickets that had them from the context that goes.
MOST_CONTEXTS = 1024


class Showcase:
    """
    What is shown, by the identity of the certificate
    (L{Auto.key<smartproxy_tw.config.model.Auto.key>}).
    """

    def __init__(self, most: int = MOST_CONTEXTS) -> None:
        """
        @param most: How many contexts are kept.
        """
        self._most = most
        self._credentials: dict[str, Credential] = {}
        # The one used last stands last.
        self._contexts: dict[tuple[str, bool, TLSPolicy], SSL.Context] = {}

    def install(self, key: str, credential: Credential) -> None:
        """
        Show this certificate from now on.  The first one under its key is
        taken as it is: whoever has it installed has looked at it
        (L{checkCredential<smartproxy_tw.acme.x509.checkCredential>}).

        @raise ValueError: It cannot be used in place of the one that is shown,
            which stays.
        """
        before = self._credentials.get(key)
        if before is not None and before != credential:
            serverContext(credential, True)
        self._credentials[key] = credential
        self._forget(key)

    def _forget(self, key: str) -> None:
        for known in [each for each in self._contexts if key in (each[0], twinOf(each[0]))]:
            del self._contexts[known]

    def uninstall(self, key: str) -> None:
        """
        Show none under this identity any more.  That there is none is no error.
        """
        if self._credentials.pop(key, None) is not None:
            self._forget(key)

    def context(self, key: str, isHTTP: bool, policy: TLSPolicy) -> SSL.Context | None:
        """
        The context for a certificate, made at its first use.

        @param isHTTP: As for L{serverContext}.
        @param policy: Likewise.
        @return: L{None} when none is installed under that key.
        @raise ValueError: It cannot be used.
        """
        wanted = key, isHTTP, policy
        context = self._contexts.pop(wanted, None)
        if context is None:
            credential = self._credentials.get(key)
            if credential is None:
                return None
            context = self._made(key, credential, isHTTP, policy)
            if len(self._contexts) >= self._most:
                del self._contexts[next(iter(self._contexts))]
        self._contexts[wanted] = context
        return context

    def _made(self, key: str, credential: Credential, isHTTP: bool, policy: TLSPolicy) -> SSL.Context:
        twin = self._credentials.get(twinOf(key) or "")
        if twin is not None:
            try:
                return serverContext(credential, isHTTP, policy, twin)
            except ValueError as why:
                _log.warn(
                    "The second certificate of {key} cannot be shown, the first one is: {why}",
                    event="certificate-unusable",
                    key=key,
                    why=str(why),
                )
        return serverContext(credential, isHTTP, policy)

    def recent(self) -> tuple[str, ...]:
        """
        The identities that were asked for last, the very last first.
        """
        return tuple(dict.fromkeys(known[0] for known in reversed(self._contexts)))

    def readAgain(self) -> None:
        """
        Read the files anew that say who may sign for clients.
        """
        for known in [each for each in self._contexts if each[2].clients is not None]:
            del self._contexts[known]
