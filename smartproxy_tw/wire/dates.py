"""
The dates of HTTP (RFC 9110 section 5.6.7): all three forms are read, one is written.
"""

from __future__ import annotations

import re
from calendar import timegm
from email.utils import formatdate
from functools import lru_cache

__all__ = ["formatted", "parsed"]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE | re.ASCII)
    for form in (
        rf"[a-z]{{3}}, (?P<day>\d\d) (?P<month>[a-z]{{3}}) (?P<year>\d{{4}}) {_TIME} GMT",
        rf"[a-z]{{6,9}}, (?P<day>\d\d)-(?P<month>[a-z]{{3}})-(?P<year>\d\d) {_TIME} GMT",
        rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
)
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def parsed(text: str) -> int | None:
    """
    @param text: The value of a field such as If-Modified-Since.
    @return: Seconds since 1970, or L{None} when it is no date.  Two digits of a year are
        of 1970 to 2069.
    """
    found = next((match for form in _FORMS if (match := form.fullmatch(text))), None)
    if found is None or found["month"].lower() not in _MONTHS:
        return None
    month = _MONTHS.index(found["month"].lower())
    year, day = int(found["year"]), int(found["day"])
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"])
    if len(found["year"]) == 2:
        year += 2000 if year < 70 else 1900
    if not 1 <= day <= _DAYS[month] or hour > 23 or minute > 59 or second > 60 or year < 1970:
        return None
    return timegm((year, month + 1, day, hour, minute, second))


@lru_cache(1024)
def formatted(seconds: int) -> str:
    """
    @param seconds: Since 1970.
    @return: The form that is to be written.
    """
    # Files keep theirs, and are asked for again and again.
    return formatdate(seconds, usegmt=True)
