"""
What can go wrong with a record, in words for who has to mend it.
"""

from __future__ import annotations

__all__ = ["RecordFailed", "ServerSilent"]


class RecordFailed(Exception):
    """
    A record could not be put where the authority looks, or not be removed.  Its
    text is the end of a sentence, without a full stop.
    """


class ServerSilent(RecordFailed):
    """
    A server of the DNS gave no answer that could be used.
    """
