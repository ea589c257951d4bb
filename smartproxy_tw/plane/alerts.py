"""
The last words of TLS that are said before there is any TLS: whole records, each
with one fatal alert (RFC 8446 section 6), for a hello that leads nowhere.
"""

from __future__ import annotations

__all__ = ["ALERT_DECODE", "ALERT_NO_CERTIFICATE", "ALERT_NO_PROTOCOL", "ALERT_UNKNOWN_NAME"]

_FATAL = b"\x15\x03\x03\x00\x02\x02"

#: To a client that asked for a name nobody serves: unrecognized_name (RFC 6066 section 3).
ALERT_UNKNOWN_NAME = _FATAL + b"\x70"
#: To one that offers no protocol we speak: no_application_protocol (RFC 7301 section 3.2).
ALERT_NO_PROTOCOL = _FATAL + b"\x78"
#: To one for whose name there is no certificate yet: internal_error.
ALERT_NO_CERTIFICATE = _FATAL + b"\x50"
#: To something that begins as TLS does and is none: decode_error.
ALERT_DECODE = _FATAL + b"\x32"
