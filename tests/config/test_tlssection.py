"""
Tests for L{smartproxy_tw.config.tlssection}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.loading import loads
from smartproxy_tw.config.model import TLS, Auto, Files, Internal, TLSPolicy, UpstreamTLS

from .options import Option, deed, tls
from .reading import ENVIRONMENT, complaints, only

CIPHER = "ECDHE-RSA-AES128-GCM-SHA256"

#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "Passthrough.mode": (tls("mode: passthrough"), lambda c: c.routes[0].tls, TLS("passthrough")),
    "Terminate.mode": (
        tls("mode: terminate"),
        lambda c: (c.routes[0].tls, deed(c).tls),
        (TLS("terminate", Auto(("a.b",))), None),
    ),
    "Terminate.certificate": (
        tls("mode: terminate, certificate: internal"),
        lambda c: c.routes[0].tls,
        TLS("terminate", Internal(("a.b",))),
    ),
    "Reencrypt.mode": (
        tls("mode: terminate-and-reencrypt"),
        lambda c: (c.routes[0].tls, deed(c).tls),
        (TLS("terminate", Auto(("a.b",))), UpstreamTLS()),
    ),
    "Reencrypt.certificate": (
        tls("mode: terminate-and-reencrypt, certificate: internal"),
        lambda c: c.routes[0].tls,
        TLS("terminate", Internal(("a.b",))),
    ),
    "Reencrypt.server_name": (
        tls("mode: terminate-and-reencrypt, server_name: X.y"),
        lambda c: deed(c).tls,
        UpstreamTLS(serverName="x.y"),
    ),
    "Reencrypt.insecure_skip_verify": (
        tls("mode: terminate-and-reencrypt, insecure_skip_verify: true"),
        lambda c: deed(c).tls,
        UpstreamTLS(verify=False),
    ),
    "Reencrypt.ca_file": (
        tls("mode: terminate-and-reencrypt, ca_file: c.pem"),
        lambda c: os.path.basename(deed(c).tls.caFile),
        "c.pem",
    ),
    **{
        f"{kind}.{option}": (tls(f"mode: {mode}, {text}"), lambda c: c.routes[0].tls.policy, policy)
        for kind, mode in (("Terminate", "terminate"), ("Reencrypt", "terminate-and-reencrypt"))
        for option, text, policy in (
            ("min_version", "min_version: 1.3", TLSPolicy(lowest="1.3")),
            ("http2", "http2: false", TLSPolicy(http2=False)),
            ("max_version", 'max_version: "1.2"', TLSPolicy(highest="1.2")),
            ("ciphers", f"ciphers: [{CIPHER}]", TLSPolicy(ciphers=(CIPHER,))),
        )
    },
    **{
        f"{kind}.client_certificates": (
            tls(f"mode: {mode}, client_certificates: {{mode: request, ca_file: c.pem}}"),
            lambda c: c.routes[0].tls.policy.clients.mode,
            "request",
        )
        for kind, mode in (("Terminate", "terminate"), ("Reencrypt", "terminate-and-reencrypt"))
    },
    "ClientCertificates.mode": (
        tls("mode: terminate, client_certificates: {mode: require, ca_file: c.pem}"),
        lambda c: c.routes[0].tls.policy.clients.mode,
        "require",
    ),
    "ClientCertificates.ca_file": (
        tls("mode: terminate, client_certificates: {mode: require, ca_file: c.pem}"),
        lambda c: os.path.basename(c.routes[0].tls.policy.clients.caFile),
        "c.pem",
    ),
    "KeyPair.cert": (
        tls("mode: terminate, certificate: {cert: c.pem, key: k.pem}"),
        lambda c: os.path.basename(c.routes[0].tls.certificate.certificate),
        "c.pem",
    ),
    "KeyPair.key": (
        tls("mode: terminate, certificate: {cert: c.pem, key: k.pem}"),
        lambda c: os.path.basename(c.routes[0].tls.certificate.privateKey),
        "k.pem",
    ),
}


class TLSTests(SynchronousTestCase):
    """
    What becomes of TLS from the client.
    """

    def test_impossible(self) -> None:
        """
        Versions that leave none, ciphers that can never be used, names that are
        none, and a file that is not there.
        """
        for text, words in (
            (
                "min_version: 1.3, max_version: 1.2",
                "leaves no version: min_version 1.3 is above max_version 1.2",
            ),
            (f"min_version: 1.3, ciphers: [{CIPHER}]", "rules out: leave out one of them"),
            (f"ciphers: [{CIPHER}, {CIPHER}]", f"lists {CIPHER} twice"),
            ("ciphers: []", "ciphers"),
            ("ciphers: [AES128-SHA]", "AES128-SHA"),
            ("min_version: 1.1", "min_version"),
            ("client_certificates: {mode: require, ca_file: /nowhere.pem}", "'/nowhere.pem' does not exist"),
            ("client_certificates: {mode: require}", "ca_file"),
            ("client_certificates: {mode: demand, ca_file: /dev/null}", "mode"),
        ):
            for mode in ("terminate", "terminate-and-reencrypt"):
                tls = f"{{mode: {mode}, certificate: internal, {text}}}"
                action = f"{{type: forward, targets: 'h:1', tls: {tls}}}"
                told = complaints(f"routes: [{{match: {{ports: 1}}, action: {action}}}]")
                self.assertIn(words, "\n".join(told), text)

    def test_notForPassthrough(self) -> None:
        """
        Who does not end TLS has nothing to say about it.
        """
        action = "{type: forward, targets: 'h:1', tls: {mode: passthrough, min_version: 1.3}}"
        self.assertIn("min_version", only(f"routes: [{{match: {{ports: 1}}, action: {action}}}]"))

    def test_certificateFiles(self) -> None:
        """
        C{Files} of the model is what C{KeyPair} of the language becomes.
        """
        directory = self.mktemp()
        os.makedirs(directory)
        path = os.path.abspath(os.path.join(directory, "both.pem"))
        with open(path, "w", encoding="ascii"):
            pass
        text = tls("mode: terminate, certificate: {cert: both.pem, key: both.pem}")
        found = loads(text, "yaml", directory, environ=ENVIRONMENT).routes[0].tls
        self.assertEqual(found, TLS("terminate", Files(path, path)))

    def test_refused(self) -> None:
        """
        What is no way to treat it, and no certificate, is told.
        """
        for text, told in (
            ("mode: offload", "passthrough, terminate or terminate-and-reencrypt was expected"),
            ("mode: terminate, certificate: none", "has to be auto or internal, not 'none'"),
            ("mode: terminate, certificate: 5", "has to be auto, internal or {cert: , key: }, not 5"),
            ("mode: terminate, certificate: {cert: c.pem}", "certificate: needs key"),
            ("mode: terminate, server_name: a.b", "server_name: is not an option here"),
        ):
            self.assertIn(told, only(tls(text)))
