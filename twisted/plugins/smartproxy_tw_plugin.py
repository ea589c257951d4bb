"""
Makes C{smartproxy} a command of C{twistd} and C{twist}.  It is read on each
C{--help}, so it imports nothing of ours.
"""

from __future__ import annotations

from twisted.application.service import ServiceMaker

__all__ = ["smartproxy"]

smartproxy = ServiceMaker(  # type: ignore[no-untyped-call]
    "smartproxy_tw",
    "smartproxy_tw.tap",
    "A reverse proxy with TLS and automatic certificates.",
    "smartproxy",
)
