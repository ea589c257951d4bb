"""
A SmartProxy beside another service of Twisted's, in one process::

    twistd -ny beside.tac

The other service is a site that knows how often it was asked; the proxy serves HTTPS for it with
a certificate of the local authority, and where a request goes is worked out by a function.
"""

import os

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Application
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.web.resource import Resource
from twisted.web.server import Site

from smartproxy_tw.config.model import Config
from smartproxy_tw.routes import dynamic, redirectToHTTPS, together
from smartproxy_tw.service.tree import SmartProxy

HTTP, HTTPS, APP = (int(os.environ.get(name, port)) for name, port in (("HTTP", 8080), ("HTTPS", 8443), ("APP", 8081)))


class Counting(Resource):
    """
    Tells how often it was asked.
    """

    isLeaf = True
    asked = 0

    def render_GET(self, request):
        """
        Count, and tell.
        """
        self.asked += 1
        return b"asked %d times\n" % self.asked


counting = Counting()


def pick(facts):
    """
    Both services are one program: the proxy's function sees what the site knows.
    """
    if facts.path == "/teapot" or counting.asked >= 1000:
        return "127.0.0.1:9"
    return ("127.0.0.1", APP)


application = Application("beside")
site = StreamServerEndpointService(
    serverFromString(reactor, f"tcp:{APP}:interface=127.0.0.1"), Site(counting)
)
site.setServiceParent(application)
config = Config(
    routes=together(
        dynamic("shop.localhost", pick, ports=HTTPS, certificate="internal"),
        redirectToHTTPS("shop.localhost", ports=HTTP, httpsPort=HTTPS),
    ),
    stateDir=os.path.abspath("state"),
    bind=("127.0.0.1",),
)
SmartProxy(config, reactor).setServiceParent(application)
