"""
A certificate authority of our own, for tests and for trying things out: RFC
8555 over HTTPS on a loopback port, strict about what it is asked, and honest
about what it signs: it really looks whether a challenge is answered.

    >>> authority = Authority(reactor, httpPort=8080, tlsPort=8443)
    >>> yield authority.start()
    >>> authority.directoryURL          # for acme.directory
    >>> authority.root                  # PEM: trust for the directory's own HTTPS (acme.ca_file),
    ...                                 # and what the issued chains end in
    >>> authority.orders, authority.validations, authority.invalid
    >>> authority.renewalWindow = (-0.2, -0.1)   # all are to be renewed at once (RFC 9773)
    >>> authority.revoked               # reasons by serial number
    >>> authority.faults.slow(2.0)      # and more, see smartproxy_tw.testing.faults
    >>> yield authority.stop()          # and start() again: an outage; it forgets nothing

It asks one server of the DNS for what proves a wildcard.  It keeps everything
in memory.  It is no authority to run for others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred, DeferredList, fail, maybeDeferred, succeed
from twisted.internet.ssl import CertificateOptions, KeyPair, PrivateCertificate
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from ..acme.clocks import wallClock
from ..acme.x509 import Signer
from .faults import Faults, Reply
from .registry import Registry
from .signed import Nonces, Refused, SignedRequest, readSigned
from .validation import Validator

if TYPE_CHECKING:
    from ..facts import Address
    from .limits import Limits
    from .profiles import Profile

__all__ = ["Authority"]

#: A request is not read further.
_LARGEST_REQUEST = 256 * 1024


class _Front(Resource):
    """
    HTTP: every path and method.
    """

    isLeaf = True

    def __init__(self, authority: Authority) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._authority = authority

    def render(self, request: Request) -> bytes:
        reply = self._authority.reply(request)
        if reply.delay:
            later = self._authority.later(reply.delay, lambda: self._send(request, reply))
            request.notifyFinish().addErrback(lambda _: later.active() and later.cancel())
        else:
            self._send(request, reply)
        return NOT_DONE_YET  # type: ignore[return-value]

    def _send(self, request: Any, reply: Reply) -> None:
        if reply.cut is not None and reply.cut < 0:
            request.transport.abortConnection()
            return
        content = reply.content
        if content and not isinstance(reply.body, bytes):
            kind = "application/problem+json" if reply.status >= 400 else "application/json"
            reply.fields.setdefault("Content-Type", kind)
        request.setResponseCode(reply.status)
        request.setHeader("Content-Length", str(len(content)))
        for name, value in reply.fields.items():
            request.setHeader(name, value)
        if reply.cut is None:
            request.write(content)
            request.finish()
            return
        request.write(content[: int(len(content) * reply.cut)])
        request.channel.forceAbortClient()


class _Site(Site):
    """
    Keeps no log of requests: the counters tell.
    """

    noisy = False

    def log(self, request: Any) -> None:
        pass


class _Doors(TLSMemoryBIOFactory):
    """
    Knows its connections, so that they can be closed.
    """

    noisy = False

    def __init__(self, options: CertificateOptions, site: Site) -> None:
        super().__init__(options, False, site)
        self._empty: Deferred[None] | None = None

    def close(self) -> Deferred[None]:
        self._empty = Deferred()
        empty = self._empty
        for each in list(self.protocols):
            each.abortConnection()
        self._tell()
        return empty

    def unregisterProtocol(self, p: Any) -> None:
        super().unregisterProtocol(p)  # type: ignore[no-untyped-call]
        self._tell()

    def _tell(self) -> None:
        if self._empty is not None and not self.protocols:
            empty, self._empty = self._empty, None
            empty.callback(None)


class Authority:
    """
    A certificate authority that listens on 127.0.0.1.

    @ivar accounts: How many were registered.
    @ivar orders: How many were placed.
    @ivar validations: How many times it looked at a challenge.
    @ivar invalid: How many of those were to no avail.
    @ivar issued: How many certificates it signed.
    @ivar requests: How many it was asked, those refused included.
    @ivar faults: How it misbehaves.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        *,
        httpPort: int,
        tlsPort: int,
        resolve: Callable[[str], str] = lambda name: "127.0.0.1",
        nameServer: Address | None = None,
        lifetime: float = 90 * 86400.0,
        nonceReject: float = 0.0,
        validationDelay: float = 0.0,
        issueDelay: float = 0.0,
        retryAfter: int | None = None,
        reuseAuthorizations: bool = False,
        renewalWindow: tuple[float, float] = (2 / 3, 3 / 4),
        renewalRetryAfter: int = 21600,
        externalKeys: Mapping[str, bytes] | None = None,
        limits: Limits | None = None,
        profiles: Mapping[str, Profile] | None = None,
        mostNames: int = 100,
        chance: Random | None = None,
        signer: Signer | None = None,
    ) -> None:
        """
        @param reactor: Listens, connects and tells the time.
        @param httpPort: Where http-01 is looked for, in place of 80.
        @param tlsPort: Where tls-alpn-01 is looked for, in place of 443.
        @param resolve: The address of a name; by default all are here.
        @param nameServer: Whom it asks for records (dns-01); L{None}: it knows no DNS.
        @param lifetime: Of certificates, in seconds.
        @param nonceReject: The part of good nonces that it refuses, 0 to 1.
        @param validationDelay: Seconds until it looks at a challenge.
        @param issueDelay: Seconds that it takes to sign.
        @param retryAfter: Seconds that it asks to wait for what is undecided.
        @param reuseAuthorizations: Whether a name that was proved need not be
            proved again.
        @param renewalWindow: When it suggests to renew (RFC 9773), as two
            fractions of a certificate's lifetime, the first the smaller.
        @param renewalRetryAfter: Seconds after which to ask for that again.
        @param externalKeys: MAC keys by their identifiers, one of which every
            new account has to be bound to (RFC 8555 section 7.3.4); L{None}
            lets anybody come.
        @param limits: How much one account may ask for; by default anything.
        @param profiles: The kinds of certificate that it has, by name, the
            first for who asks for none; by default just one without a name.
        @param mostNames: So many names an order may have; those of a profile may be
            fewer.
        @param chance: Decides which nonces are refused.
        @param signer: The root that it signs with; by default a new one.
        """
        self._reactor = reactor
        self._nonces = Nonces(chance or Random(), nonceReject)
        self._root = signer or Signer.create("smartproxy_tw testing root", now=wallClock(reactor).seconds())
        self._registry = Registry(
            reactor,
            Validator(reactor, httpPort=httpPort, tlsPort=tlsPort, resolve=resolve, nameServer=nameServer),
            self._root.delegate("smartproxy_tw testing intermediate", now=wallClock(reactor).seconds()),
            lifetime=lifetime,
            validationDelay=validationDelay,
            issueDelay=issueDelay,
            retryAfter=retryAfter,
            reuseAuthorizations=reuseAuthorizations,
            chance=chance or Random(),
            externalKeys=externalKeys,
            limits=limits,
            profiles=profiles,
            mostNames=mostNames,
        )
        self._profiles = tuple(profiles or ())
        self._isExternalRequired = externalKeys is not None
        self._registry.archive.window = renewalWindow
        self._renewalRetryAfter = renewalRetryAfter
        self._port: Any = None
        self._number = 0
        self.faults = Faults(chance or Random())
        self._doors: _Doors | None = None
        self.requests = 0

    def start(self) -> Deferred[None]:
        """
        Listen: on a free port at first, on the same one ever after.

        @return: Fires when it does; fails with
            L{CannotListenError<twisted.internet.error.CannotListenError>}.
        """
        options = self._identity()
        site = _Site(_Front(self))  # type: ignore[no-untyped-call]
        self._doors = _Doors(options, site)
        try:
            self._port = self._reactor.listenTCP(
                self._number, self._doors, backlog=1024, interface="127.0.0.1"
            )
        except Exception:
            return fail()
        self._number = self._port.getHost().port
        self._registry.base = self.base
        self._registry.resume()
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """
        Listen no more, close every connection, look at no challenge any more.

        @return: Fires when it is so.
        """
        port, self._port = self._port, None
        if port is None or self._doors is None:
            return succeed(None)
        waiting: list[Deferred[Any]] = [
            maybeDeferred(port.stopListening),
            self._doors.close(),
            self._registry.stop(),
        ]
        return DeferredList(waiting, consumeErrors=True).addCallback(lambda _: None)

    @property
    def base(self) -> str:
        """
        What every URL of it begins with.
        """
        return f"https://127.0.0.1:{self._number}"

    @property
    def directoryURL(self) -> str:
        """
        Where an ACME client begins.
        """
        return f"{self.base}/directory"

    @property
    def root(self) -> bytes:
        """
        PEM of the one certificate to trust.
        """
        return self._root.root

    @property
    def accounts(self) -> int:
        return self._registry.accountCount

    @property
    def orders(self) -> int:
        return self._registry.orderCount

    @property
    def validations(self) -> int:
        return self._registry.validationCount

    @property
    def invalid(self) -> int:
        return self._registry.invalidCount

    @property
    def issued(self) -> int:
        return self._registry.issuedCount

    @property
    def revoked(self) -> dict[int, int]:
        """
        Reasons (RFC 5280 section 5.3.1) of what was revoked, by serial number.
        """
        return self._registry.archive.revoked

    @property
    def renewalWindow(self) -> tuple[float, float]:
        """
        When it suggests to renew; to be set anew at any time, for instance to
        C{(-0.2, -0.1)} for a mass revocation: at once, for everybody.
        """
        return self._registry.archive.window

    @renewalWindow.setter
    def renewalWindow(self, window: tuple[float, float]) -> None:
        self._registry.archive.window = window

    @property
    def mostNames(self) -> int:
        """
        So many names an order may have; to be set anew at any time.
        """
        return self._registry.mostNames

    @mostNames.setter
    def mostNames(self, most: int) -> None:
        self._registry.mostNames = most

    @property
    def nonceReject(self) -> float:
        """
        The part of good nonces that it refuses, 0 to 1; to be set anew at any
        time.
        """
        return self._nonces.reject

    @nonceReject.setter
    def nonceReject(self, part: float) -> None:
        self._nonces.reject = part

    def later(self, seconds: float, send: Callable[[], object]) -> Any:
        """
        Send an answer after a while; called by the HTTP side.
        """
        return self._reactor.callLater(seconds, send)

    def reply(self, request: Request) -> Reply:
        """
        Answer one request; called by the HTTP side.
        """
        self.requests += 1
        path = request.path.decode("latin-1")

        def answer() -> Reply:
            try:
                return self._answer(request, path)
            except Refused as why:
                return Registry.refusal(why)

        reply = self.faults.pass_(path, answer)
        if path != "/directory":
            # RFC 8555 sections 6.5 and 7.1.
            reply.fields.setdefault("Replay-Nonce", self._nonces.give())
            reply.fields.setdefault("Link", f'<{self.directoryURL}>;rel="index"')
            reply.fields.setdefault("Cache-Control", "no-store")
        return reply

    def _answer(self, request: Request, path: str) -> Reply:
        if path == "/directory" and request.method in (b"GET", b"HEAD"):
            return Reply(200, self._directory())
        if path == "/nonce" and request.method in (b"GET", b"HEAD"):
            return Reply(200 if request.method == b"HEAD" else 204, None)
        if path.startswith("/renewal/") and request.method in (b"GET", b"HEAD"):
            shown = self._registry.archive.renewal(path.removeprefix("/renewal/"))
            return Reply(200, shown, {"Retry-After": str(self._renewalRetryAfter)})
        if request.method != b"POST":
            raise Refused(405, "malformed", "only POST is allowed here")
        return self._registry.answer(path, self._signed(request, path))

    def _directory(self) -> dict[str, Any]:
        listed = {name: f"{self.base}/profiles#{name}" for name in self._profiles}
        return {
            "newNonce": f"{self.base}/nonce",
            "newAccount": f"{self.base}/account",
            "newOrder": f"{self.base}/order",
            "revokeCert": f"{self.base}/revoke",
            "keyChange": f"{self.base}/key",
            "renewalInfo": f"{self.base}/renewal",
            "meta": {
                "termsOfService": f"{self.base}/terms",
                "externalAccountRequired": self._isExternalRequired,
                **({"profiles": listed} if listed else {}),
            },
        }

    def _signed(self, request: Request, path: str) -> SignedRequest:
        assert request.content is not None
        body = request.content.read(_LARGEST_REQUEST + 1)
        if len(body) > _LARGEST_REQUEST:
            raise Refused(413, "malformed", f"more than {_LARGEST_REQUEST} bytes")
        return readSigned(
            body,
            request.getHeader("Content-Type") or "",
            self.base + path,
            self._nonces,
            self._registry.keyOf,
        )

    def _identity(self) -> CertificateOptions:
        own = self._root.issue(
            ["localhost", "127.0.0.1"], lifetime=365 * 86400.0, now=wallClock(self._reactor).seconds()
        )
        certificate = PrivateCertificate.loadPEM(own.chain + own.key)  # type: ignore[no-untyped-call]
        key: KeyPair = certificate.privateKey
        options = CertificateOptions(privateKey=key.original, certificate=certificate.original)
        # Resumption would need a name for its cache, and loopback is quick.
        options.getContext().set_session_cache_mode(SSL.SESS_CACHE_OFF)
        return options
