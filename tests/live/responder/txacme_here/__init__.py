"""
A plug-in as txacme has them: a responder for dns-01 that answers for the zone by
itself.  It knows txacme and Twisted, and nothing of the proxy.
"""

from __future__ import annotations

from twisted.internet.defer import succeed
from twisted.names import dns
from twisted.names.common import ResolverBase
from twisted.names.server import DNSServerFactory
from txacme.interfaces import IResponder
from zope.interface import implementer

__all__ = ["HereResponder"]


class _Records(ResolverBase):
    def __init__(self):
        super().__init__()
        self.texts = {}

    def _lookup(self, name, cls, type, timeout):
        found = self.texts.get(dns.domainString(name).lower(), ()) if type == dns.TXT else ()
        records = [dns.RRHeader(name, dns.TXT, cls, 60, dns.Record_TXT(each), auth=True) for each in found]
        return succeed((records, [], []))


@implementer(IResponder)
class HereResponder:
    """
    @ivar calls: What was called, with which name.
    """

    challenge_type = "dns-01"

    def __init__(self):
        self._records = _Records()
        self.calls = []

    def listen(self, reactor):
        """
        Answer questions on a free port of the loopback interface.
        """
        protocol = dns.DNSDatagramProtocol(DNSServerFactory(clients=[self._records]))
        return reactor.listenUDP(0, protocol, interface="127.0.0.1")

    def texts(self, server_name):
        """
        The records that there are for a name.
        """
        return self._records.texts.get(self._owner(server_name), [])

    def start_responding(self, server_name, challenge, response):
        self.calls.append(("start", server_name))
        texts = self._records.texts.setdefault(self._owner(server_name), [])
        texts.append(self._text(challenge, response))
        return succeed(None)

    def stop_responding(self, server_name, challenge, response):
        self.calls.append(("stop", server_name))
        self.texts(server_name).remove(self._text(challenge, response))

    def _owner(self, server_name):
        return b"_acme-challenge." + server_name.encode("ascii")

    def _text(self, challenge, response):
        import hashlib

        from josepy.b64 import b64encode

        token, _ = response.key_authorization.split(".")
        assert token == challenge.encode("token")
        return b64encode(hashlib.sha256(response.key_authorization.encode("ascii")).digest())
