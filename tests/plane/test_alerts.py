"""
What is said before there is any TLS.
"""

from __future__ import annotations

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane import alerts


class AlertTests(SynchronousTestCase):
    """
    Each alert, as OpenSSL reads it.
    """

    def test_words(self) -> None:
        """
        A client that gets one in answer to its hello gives up for that reason.
        """
        for alert, word in (
            (alerts.ALERT_UNKNOWN_NAME, "unrecognized name"),
            (alerts.ALERT_NO_PROTOCOL, "no application protocol"),
            (alerts.ALERT_NO_CERTIFICATE, "internal error"),
            (alerts.ALERT_DECODE, "decode error"),
        ):
            client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
            client.set_connect_state()
            self.assertRaises(SSL.WantReadError, client.do_handshake)
            client.bio_write(alert)
            error = self.assertRaises(SSL.Error, client.do_handshake)
            self.assertIn(word, str(error))
