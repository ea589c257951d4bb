"""
The larger subcommands of C{smartproxy}, a module each.
"""

from __future__ import annotations

__all__: list[str] = []
