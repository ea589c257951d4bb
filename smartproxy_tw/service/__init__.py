"""
The order of things: ports first, then the data path, then certificates; and all
of it backwards at the end.
"""

from __future__ import annotations

__all__: list[str] = []
