"""
Whom to believe who he is, over TLS, where an operator says so by a file.
"""

from __future__ import annotations

from typing import Any

from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.crypto import X509
from twisted.internet.ssl import Certificate, trustRootFromCertificates

__all__ = ["trustOf"]


def trustOf(caFile: str) -> Any:
    """
    Those who are believed in place of the system's authorities.

    @param caFile: Path of a PEM bundle.
    @return: As C{BrowserLikePolicyForHTTPS} takes it.
    @raise OSError: It cannot be read.
    @raise ValueError: There is no certificate in it, or what there is is none.
    """
    with open(caFile, "rb") as bundle:
        certificates = load_pem_x509_certificates(bundle.read())
    return trustRootFromCertificates(  # type: ignore[no-untyped-call]
        [Certificate(X509.from_cryptography(each)) for each in certificates]  # type: ignore[no-untyped-call]
    )
