"""
Contexts: what one side of TLS shows, trusts and agrees to.

A context is chosen before the handshake, from the ClientHello
(L{smartproxy_tw.wire.clienthello}); it is never switched in a callback, where
OpenSSL would answer with the wrong certificate or worse.  A context is frozen
after its first use: a new certificate is a new context.

Versions and ciphers are Mozilla's intermediate profile, unless a route narrows
them: TLS 1.2 and 1.3, an ephemeral key with AEAD only, no renegotiation, no
compression, no early data.

A context costs 0.8 ms and 22 KiB (P-256, OpenSSL 4.0), and has ticket keys of its
own, made at random: sessions are resumed with the context that they began with,
and with no other.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL, crypto

from .binding import limitGroups
from .identity import noteDistrust, reasonOf

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.model import ClientCertificates, TLSPolicy, UpstreamTLS
    from ..facts import Credential

__all__ = ["challengeContext", "checkClients", "clientContext", "serverContext"]

_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
# Targets may insist on these; a server would need parameters for them.
_CLIENT_CIPHERS = _CIPHERS + ":DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305"
_AEAD = ("GCM", "CCM", "CHACHA20")
# Of the same profile; the first one withstands quantum computers and is not known to every OpenSSL.
_GROUPS = "?X25519MLKEM768:X25519:P-256:P-384"
_VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
# SSL_MODE_RELEASE_BUFFERS: an idle connection gives back 32 KiB (OpenSSL's SSL_CTX_set_mode).
_RELEASE_BUFFERS = 0x10
_PARTIAL_WRITE = 0x1
_NO_RENEGOTIATION = 0x40000000
_NO_COMPRESSION = 0x20000


def _offerHTTP(connection: SSL.Connection, offered: list[bytes]) -> Any:
    # The greeting has already refused a hello that offers neither.
    for protocol in (b"http/1.1", b"http/1.0"):
        if protocol in offered:
            return protocol
    return SSL.NO_OVERLAPPING_PROTOCOLS


def _offerHTTP2(connection: SSL.Connection, offered: list[bytes]) -> Any:
    return b"h2" if b"h2" in offered else _offerHTTP(connection, offered)


def _offerHTTP2WhereFit(connection: SSL.Connection, offered: list[bytes]) -> Any:
    # What TLS 1.2 has agreed on is not told yet, but nothing in 1.3 is forbidden.
    isFit = connection.get_protocol_version() >= SSL.TLS1_3_VERSION
    return _offerHTTP2(connection, offered) if isFit else _offerHTTP(connection, offered)


def _isFit(cipher: str) -> bool:
    """
    Whether HTTP/2 may be spoken over a cipher of TLS 1.2: appendix A of RFC 9113 has all others than
    those with an ephemeral key and AEAD.
    """
    return cipher.startswith(("ECDHE-", "DHE-")) and any(kind in cipher for kind in _AEAD)


def _offerChallenge(connection: SSL.Connection, offered: list[bytes]) -> Any:
    return b"acme-tls/1" if b"acme-tls/1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _context(method: int, ciphers: str) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(ciphers.encode("ascii"))
    context.set_options(_NO_RENEGOTIATION | _NO_COMPRESSION)
    context.set_mode(_RELEASE_BUFFERS)
    # pyOpenSSL asks for partial writes; into memory they are not needed, and a wire counts on whole ones.
    context.clear_mode(_PARTIAL_WRITE)
    return context


def serverContext(
    credential: Credential,
    isHTTP: bool,
    policy: TLSPolicy | None = None,
    twin: Credential | None = None,
) -> SSL.Context:
    """
    A context that shows a certificate.

    @param credential: What to show.
    @param isHTTP: Whether to agree on C{h2}, if the policy has it, or C{http/1.1} by
        ALPN; otherwise no protocol is agreed on.
    @param policy: What the handshake has to be like; L{None} for the defaults.  Where it names
        ciphers that are forbidden for HTTP/2 (RFC 9113 section 9.2.2), C{h2} is not agreed on with
        TLS 1.2.
    @param twin: What to show to those who do not take that, with a key of
        another kind; the library chooses by the signature algorithms (RFC 8446
        section 4.2.3) and ciphers that are offered.
    @raise ValueError: The credential, or the file of those who may sign for
        clients, cannot be used; the message says why and holds nothing of the
        key.
    """
    context = _context(
        SSL.TLS_SERVER_METHOD, ":".join(policy.ciphers) if policy and policy.ciphers else _CIPHERS
    )
    # Tickets resume; a cache of sessions in memory would grow by every TLS 1.2 client.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    limitGroups(context, _GROUPS)
    if policy is not None:
        context.set_min_proto_version(_VERSIONS[policy.lowest])
        context.set_max_proto_version(_VERSIONS[policy.highest])
        if policy.clients is not None:
            _askClients(context, policy.clients)
    if twin is not None:
        _show(context, twin, _useChainOfItsOwn)
    _show(context, credential, _useChain if twin is None else _useChainOfItsOwn)
    if isHTTP:
        offer = _offerHTTP2
        if policy is not None:
            if not policy.http2:
                offer = _offerHTTP
            elif not all(map(_isFit, policy.ciphers)):
                offer = _offerHTTP2WhereFit
        context.set_alpn_select_callback(offer)
    return context


def _show(
    context: SSL.Context, credential: Credential, useChain: Callable[[SSL.Context, list[bytes]], None]
) -> None:
    marker = b"-----BEGIN CERTIFICATE-----"
    parts = [marker + part for part in credential.chain.split(marker)[1:]]
    if not parts:
        raise ValueError("there is no certificate in the chain")
    try:
        useChain(context, parts)
    except (crypto.Error, SSL.Error, OSError, ValueError) as error:
        raise ValueError(f"the certificate chain cannot be read ({reasonOf(error)})") from None
    try:
        context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, credential.key))
        context.check_privatekey()
    except (crypto.Error, SSL.Error, ValueError, TypeError) as error:
        why = f"the private key cannot be read or is not the certificate's ({reasonOf(error)})"
        raise ValueError(why) from None


def _useChain(context: SSL.Context, parts: list[bytes]) -> None:
    leaf, *issuers = [crypto.load_certificate(crypto.FILETYPE_PEM, part) for part in parts]
    context.use_certificate(leaf)
    for issuer in issuers:
        context.add_extra_chain_cert(issuer)


def _useChainOfItsOwn(context: SSL.Context, parts: list[bytes]) -> None:
    """
    Likewise where there are two certificates, each with its own issuers; by
    pyOpenSSL's public names that is possible only from a file.
    """
    with open(os.memfd_create("chain"), "wb") as file:
        file.write(b"".join(parts))
        file.flush()
        context.use_certificate_chain_file(f"/proc/self/fd/{file.fileno()}")


def _askClients(context: SSL.Context, clients: ClientCertificates) -> None:
    try:
        context.load_verify_locations(clients.caFile)
        context.load_client_ca(clients.caFile.encode())
    except SSL.Error as error:
        raise ValueError(f"ca_file {clients.caFile} cannot be read ({reasonOf(error)})") from None
    # OpenSSL resumes no session of a client with certificate unless it knows by what policy it began.
    context.set_session_id(sha256(repr(clients).encode()).digest())
    mode = SSL.VERIFY_PEER
    if clients.mode == "require":
        mode |= SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    context.set_verify(mode, noteDistrust)


def checkClients(clients: ClientCertificates) -> None:
    """
    Make sure that certificates of clients can be verified.

    @raise ValueError: The file of those who may sign them cannot be used.
    """
    _askClients(SSL.Context(SSL.TLS_SERVER_METHOD), clients)


def challengeContext(credential: Credential) -> SSL.Context:
    """
    A context that answers tls-alpn-01 (RFC 8737 section 3).

    @raise ValueError: As L{serverContext}.
    """
    context = serverContext(credential, False)
    context.set_alpn_select_callback(_offerChallenge)
    return context


def clientContext(settings: UpstreamTLS) -> SSL.Context:
    """
    A context to speak to targets with.

    @raise ValueError: The file of trusted certificates cannot be read.
    """
    context = _context(SSL.TLS_CLIENT_METHOD, _CLIENT_CIPHERS)
    if settings.verify:
        if settings.caFile is None:
            context.set_default_verify_paths()
        else:
            try:
                context.load_verify_locations(settings.caFile)
            except SSL.Error as error:
                raise ValueError(f"ca_file {settings.caFile} cannot be read ({reasonOf(error)})") from None
        context.set_verify(SSL.VERIFY_PEER, noteDistrust)
    return context
