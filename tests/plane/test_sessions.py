"""
Sessions that are resumed: ours with clients, and those with targets.
"""

from __future__ import annotations

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import ClientCertificates, Forward, Route, TLSPolicy, UpstreamTLS
from smartproxy_tw.plane.contexts import clientContext, serverContext
from smartproxy_tw.plane.identity import verifyPeer
from smartproxy_tw.plane.sessions import LIFETIME, Sessions
from smartproxy_tw.plane.showcase import Showcase

from .harness import PlaneTests, authority, credentialFor, shake

VERSIONS = (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION)


def isResumed(connection: SSL.Connection) -> bool:
    """
    Whether the handshake was short.
    """
    lib = SSL._lib  # type: ignore[attr-defined]
    return bool(lib.SSL_session_reused(connection._ssl))  # type: ignore[attr-defined]


def talk(client: SSL.Connection, server: SSL.Connection) -> None:
    """
    Send a word each way, which brings the tickets.
    """
    for one, other in ((server, client), (client, server)):
        one.send(b"word")
        other.bio_write(one.bio_read(65536))
        assert other.recv(100) == b"word"


class ServerTests(SynchronousTestCase):
    """
    What clients resume with us.
    """

    def setUp(self) -> None:
        """Two names; for one of them clients are asked for certificates too."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(authority().credential.chain)
        self.policies = [
            TLSPolicy(),
            TLSPolicy(clients=ClientCertificates("request", path)),
            TLSPolicy(clients=ClientCertificates("require", path)),
        ]
        self.contexts: dict[int, SSL.Context] = {}
        for version in VERSIONS:
            self.contexts[version] = context = SSL.Context(SSL.TLS_CLIENT_METHOD)
            context.set_max_proto_version(version)
        self.showcase = Showcase()
        self.showcase.install("a", credentialFor("a.test"))
        self.showcase.install("b", credentialFor("b.test"))

    def meet(
        self, version: int, key: str, policy: TLSPolicy, session: SSL.Session | None = None
    ) -> tuple[SSL.Connection, bool]:
        """
        Shake hands, and talk.

        @return: The client's side, and whether the session was resumed.
        """
        client = SSL.Connection(self.contexts[version], None)
        client.set_connect_state()
        if session is not None:
            client.set_session(session)
        shown = self.showcase.context(key, True, policy)
        assert shown is not None
        server = SSL.Connection(shown, None)
        server.set_accept_state()
        self.assertTrue(shake(client, server))
        talk(client, server)
        self.assertEqual(isResumed(client), isResumed(server))
        return client, isResumed(client)

    def test_resumed(self) -> None:
        """
        A session is resumed, several times over, with certificates of clients
        asked for or not.
        """
        for version in VERSIONS:
            for policy in self.policies[:2]:
                client, resumed = self.meet(version, "a", policy)
                self.assertFalse(resumed)
                clients = [client]
                for _ in range(3):
                    client, resumed = self.meet(version, "a", policy, client.get_session())
                    clients.append(client)
                    self.assertTrue(resumed, (version, policy))

    def test_notElsewhere(self) -> None:
        """
        With another certificate, by another policy, or after a renewal it is
        not: the handshake is a whole one, and succeeds.
        """
        for version in VERSIONS:
            client, _ = self.meet(version, "a", self.policies[0])
            session = client.get_session()
            self.assertFalse(self.meet(version, "b", self.policies[0], session)[1])
            self.assertFalse(self.meet(version, "a", self.policies[1], session)[1])
            self.showcase.install("a", credentialFor("a.test", "renewed.test", str(version) + ".test"))
            self.assertFalse(self.meet(version, "a", self.policies[0], session)[1])

    def test_notAroundClientCertificates(self) -> None:
        """
        A session without a certificate is no way in where one is required.
        """
        for version in VERSIONS:
            client, _ = self.meet(version, "a", self.policies[1])
            again = SSL.Connection(self.contexts[version], None)
            again.set_connect_state()
            session = client.get_session()
            assert session is not None
            again.set_session(session)
            shown = self.showcase.context("a", True, self.policies[2])
            assert shown is not None
            server = SSL.Connection(shown, None)
            server.set_accept_state()
            self.assertFalse(shake(again, server))

    def test_noMemory(self) -> None:
        """
        Nothing is kept here for clients without tickets.
        """
        context = serverContext(credentialFor("a.test"), True)
        self.assertEqual(context.get_session_cache_mode(), SSL.SESS_CACHE_OFF)


class TargetTests(SynchronousTestCase):
    """
    What we resume with targets.
    """

    def setUp(self) -> None:
        """A target, and how it is spoken to."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(authority().credential.chain)
        self.context = clientContext(UpstreamTLS(caFile=path))
        self.sessions = Sessions()

    def meet(self, context: SSL.Context, now: float, whom: str = "t") -> bool:
        """
        Connect and verify.

        @return: Whether a session was resumed.
        """
        client, server = SSL.Connection(self.context, None), SSL.Connection(context, None)
        client.set_connect_state()
        server.set_accept_state()
        since = self.sessions.offer(whom, client, now)
        self.assertTrue(shake(client, server))
        verifyPeer(client, "a.test")
        self.assertRaises(ValueError, verifyPeer, client, "b.test")
        self.sessions.learn(whom, client, since)
        talk(client, server)
        # A connection that breaks takes its session along.
        client.shutdown()
        return isResumed(client)

    def test_resumed(self) -> None:
        """
        The last session with a target is resumed, its certificate verified for
        the name each time, until the hour is over.
        """
        for highest in ("1.2", "1.3"):
            self.sessions = Sessions()
            policy = TLSPolicy(highest="1.2" if highest == "1.2" else "1.3")
            context = serverContext(credentialFor("a.test"), False, policy)
            found = [self.meet(context, now) for now in (0.0, 10.0, LIFETIME - 1, LIFETIME, LIFETIME + 1)]
            self.assertEqual(found, [False, True, True, False, True], highest)

    def test_byTarget(self) -> None:
        """
        Each target has its own; one that begins anew is met anew; one that is
        forgotten too.
        """
        context = serverContext(credentialFor("a.test"), False)
        self.assertFalse(self.meet(context, 0.0))
        self.assertFalse(self.meet(context, 0.0, "other"))
        self.assertTrue(self.meet(context, 0.0))
        self.assertFalse(self.meet(serverContext(credentialFor("a.test"), False), 0.0))
        self.sessions.forget("t")
        self.assertFalse(self.meet(context, 0.0))


class ThroughTests(PlaneTests):
    """
    Targets, through the plane.
    """

    async def test_resumed(self) -> None:
        """
        The second connection to a target resumes the session of the first, and
        its certificate is held against the name all the same.
        """
        ca = str(self.fresh(authority().credential.chain))
        for highest in ("1.2", "1.3"):
            policy = TLSPolicy(highest="1.2" if highest == "1.2" else "1.3")
            context = serverContext(credentialFor("127.0.0.1"), False, policy)

            def accepting(context: SSL.Context = context) -> SSL.Connection:
                connection = SSL.Connection(context, None)
                connection.set_accept_state()
                return connection

            origin = self.origin(credential=credentialFor("127.0.0.1"))
            origin._ssl = accepting
            origin.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            port = await self.port()
            await self.use(
                Route("a", (port,), Forward((origin.target,), UpstreamTLS(caFile=ca)), "http"),
            )
            client = await self.client(port)
            for _ in range(3):
                client.sends(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
                self.assertTrue((await client.head()).startswith(b"HTTP/1.1 200 "))
            found = [isResumed(peer.ssl) for peer in origin.peers if peer.ssl is not None]
            self.assertEqual(found, [False, True, True], highest)
            client.leaves()
