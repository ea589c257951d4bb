"""
smartproxy_tw: a reverse proxy, TLS terminator and SNI router on Twisted, with
automatic certificates that are asked for only once their ports are bound.

Run it as C{twistd smartproxy}, or put a
L{SmartProxy<smartproxy_tw.service.tree.SmartProxy>} into a service tree of your
own.  Importing this package, or any module of it, installs no reactor.
"""

from __future__ import annotations

import sys

__all__ = ["__version__"]

#: The version of the distribution: C{setup.cfg} reads it from here.
__version__ = "0.1.0"

if sys.platform != "linux":
    raise ImportError(
        f"smartproxy_tw runs on Linux only, and this is {sys.platform}: its data path is built on epoll"
        " and splice. Run it in a Linux container or a virtual machine."
    )
