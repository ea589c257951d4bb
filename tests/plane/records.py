"""
Records of TLS 1.3 that no library will write: made by hand, from the secrets that
a client tells (RFC 8446 sections 5.2 and 7).
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from OpenSSL import SSL

__all__ = ["Secrets"]


class Secrets:
    """
    What a client encrypts with, once it has shaken hands by this context.
    """

    def __init__(self, context: SSL.Context) -> None:
        """
        @param context: Of the client; is told to use one cipher, and to tell its
            secrets.
        """
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_tls13_ciphersuites(b"TLS_AES_128_GCM_SHA256")
        context.set_keylog_callback(self._keep)
        self._secret = b""
        self._count = 0

    def _keep(self, connection: SSL.Connection, line: bytes) -> None:
        label, _, secret = line.split(b" ")
        if label == b"CLIENT_TRAFFIC_SECRET_0":
            self._secret = bytes.fromhex(secret.decode())

    def _derived(self, label: bytes, size: int) -> bytes:
        name = b"tls13 " + label
        info = size.to_bytes(2, "big") + bytes((len(name),)) + name + b"\0"
        return HKDFExpand(SHA256(), size, info).derive(self._secret)

    def record(self, content: bytes, kind: int) -> bytes:
        """
        The next record.

        @param kind: Of its content: 23 for data, 22 for the handshake.
        """
        inner = content + bytes((kind,))
        header = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2, "big")
        nonce = int.from_bytes(self._derived(b"iv", 12), "big") ^ self._count
        self._count += 1
        return header + AESGCM(self._derived(b"key", 16)).encrypt(nonce.to_bytes(12, "big"), inner, header)

    def keyUpdate(self) -> bytes:
        """
        New keys, and a request for new ones in return.
        """
        record = self.record(b"\x18\0\0\x01\x01", 22)
        self._secret = self._derived(b"traffic upd", 32)
        self._count = 0
        return record
