"""
The admin API described in the words of OpenAPI 3.1, for programs that make clients and
pages of it.  A test holds every answer against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..acme.reasons import REASONS
from ..config.balance import ALGORITHMS

__all__ = ["description"]

_Schema = Mapping[str, Any]

_TEXT: _Schema = {"type": "string"}
_NUMBER: _Schema = {"type": "number"}
_WHOLE: _Schema = {"type": "integer"}
_CLAIM: _Schema = {"type": "boolean"}
_MOMENT: _Schema = {"type": "string", "format": "date-time"}
_NAMES: _Schema = {"type": "array", "items": _TEXT}


def _object(members: Mapping[str, _Schema], *optional: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(members),
        "required": [name for name in members if name not in optional],
        "additionalProperties": False,
    }


def _list(items: _Schema) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _orNull(schema: _Schema) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _one(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


_ACCOUNT = _object({"authority": _TEXT, "account": _orNull(_TEXT), "changing": _CLAIM})

_COUNTS = {"type": "object", "additionalProperties": _WHOLE}

_CHANGES = _object(
    {
        "routes": _object({"added": _NAMES, "removed": _NAMES, "changed": _NAMES, "reordered": _CLAIM}),
        "ports": _object({"bound": _list(_WHOLE), "released": _list(_WHOLE)}),
        "certificates": _object({"wanted": _NAMES, "dropped": _NAMES}),
        "settings": _list(_object({"name": _TEXT, "old": _TEXT, "new": _TEXT, "needs_restart": _CLAIM})),
    }
)

_STATES = ("missing", "waiting", "ordering", "failed", "valid", "expired", "unsaved", "revoked")

_STANDING = _one("healthy", "unhealthy", "ejected", "draining")

_MEMBER = {
    "target": _TEXT,
    "state": _STANDING,
    "reason": _orNull(_TEXT),
    "since": _orNull(_MOMENT),
    "ejected_until": _orNull(_MOMENT),
}

_TARGET = _object(
    {
        **_MEMBER,
        "draining": _CLAIM,
        "check": _orNull(_object({"healthy": _CLAIM, "reason": _TEXT, "since": _MOMENT})),
        "ejected_in": _WHOLE,
        "weight": _WHOLE,
        "weight_now": _NUMBER,
        "in_use": _WHOLE,
        "kept": _WHOLE,
        "requests": _WHOLE,
        "failures": _WHOLE,
        "members": _list(_object(_MEMBER)),
    }
)

_PORTS = {"anyOf": [_WHOLE, _object({"from": _WHOLE, "to": _WHOLE})]}

# What is a secret is not told.
_ASKED = _list(_object({"name": _TEXT, "values": _orNull(_NAMES)}))

_ACTION = {
    "anyOf": [
        _object(
            {
                "type": _one("forward"),
                "targets": _NAMES,
                "weights": _list(_WHOLE),
                "load_balancing": _one(*ALGORITHMS),
                "tls": _orNull(_object({"verify": _CLAIM, "server_name": _orNull(_TEXT)})),
            }
        ),
        _object({"type": _one("redirect"), "status": _WHOLE, "to": _TEXT}),
        _object({"type": _one("respond"), "status": _WHOLE, "bytes": _WHOLE}),
        _object({"type": _one("block")}),
    ]
}

_SCHEMAS: Mapping[str, Any] = {
    "Error": _object(
        {
            "error": {
                "type": "object",
                "properties": {"code": _TEXT, "message": _TEXT},
                "required": ["code", "message"],
            }
        }
    ),
    "Greeting": _object({"version": _TEXT, "process": _WHOLE, "questions": _NAMES}),
    "Connections": _object(
        {
            "open": _WHOLE,
            "limit": _WHOLE,
            "counts": _COUNTS,
            "routes": _list(
                _object(
                    {
                        "route": _TEXT,
                        "requests": _WHOLE,
                        "failed": _WHOLE,
                        "streams": _WHOLE,
                        "sent": _WHOLE,
                        "received": _WHOLE,
                    }
                )
            ),
        }
    ),
    "Status": _object(
        {
            "version": _TEXT,
            "process": _WHOLE,
            "started": _MOMENT,
            "uptime": _NUMBER,
            "ready": _CLAIM,
            "reason": _orNull(_TEXT),
            "configuration": _object(
                {"source": _orNull(_TEXT), "loaded": _MOMENT, "age": _NUMBER, "routes": _WHOLE}
            ),
            "workers": _list(
                _object(
                    {
                        "number": _WHOLE,
                        "process": _orNull(_WHOLE),
                        "state": _one("starting", "serving", "leaving", "vacant"),
                    }
                )
            ),
            "listening": _list(_object({"address": _TEXT, "port": _WHOLE, "adopted": _CLAIM})),
            "connections": _ref("Connections"),
            "upstreams": _object(
                {
                    "targets": _WHOLE,
                    "healthy": _WHOLE,
                    "others": _list(_object(_MEMBER)),
                }
            ),
            "certificates": _object(
                {
                    "wanted": _WHOLE,
                    "valid": _WHOLE,
                    "failing": _WHOLE,
                    "states": _COUNTS,
                    "problems": _list(
                        _object(
                            {
                                "key": _TEXT,
                                "names": _NAMES,
                                "state": _one(*_STATES),
                                "problem": _orNull(_TEXT),
                                "next_attempt": _orNull(_MOMENT),
                            }
                        )
                    ),
                }
            ),
        }
    ),
    "Routes": _object(
        {
            "routes": _list(
                _object(
                    {
                        "name": _TEXT,
                        "line": _orNull(_WHOLE),
                        "ports": _list(_PORTS),
                        "protocol": _one("http", "tcp"),
                        "match": _object(
                            {
                                "domains": _NAMES,
                                "path": _orNull(_TEXT),
                                "headers": _ASKED,
                                "query": _ASKED,
                                "method": _NAMES,
                                "client_ip": _NAMES,
                                "tls_version": _NAMES,
                            }
                        ),
                        "action": _ACTION,
                        "tls": _orNull(
                            _object(
                                {
                                    "mode": _TEXT,
                                    "certificate": _orNull(
                                        _object(
                                            {
                                                "source": _one("auto", "internal", "files"),
                                                "names": _NAMES,
                                                "keys": _NAMES,
                                            }
                                        )
                                    ),
                                }
                            )
                        ),
                        "guards": _NAMES,
                        "precedence": _object(
                            {
                                "priority": _WHOLE,
                                "domain": _one("exact", "wildcard", "any"),
                                "path": _one("exact", "prefix", "pattern", "any"),
                                "conditions": _WHOLE,
                                "place": _WHOLE,
                            }
                        ),
                    }
                )
            )
        }
    ),
    "Explanation": _object(
        {
            "url": _TEXT,
            "route": _orNull(_TEXT),
            "line": _orNull(_WHOLE),
            "miss": _orNull(_TEXT),
            "deeds": _list(_object({"what": _TEXT, "text": _TEXT})),
            "verdicts": _list(_object({"route": _TEXT, "line": _orNull(_WHOLE), "reason": _orNull(_TEXT)})),
        }
    ),
    "Certificates": _object(
        {
            "certificates": _list(
                _object(
                    {
                        "key": _TEXT,
                        "names": _NAMES,
                        "source": _one("auto", "internal", "files"),
                        "state": _one(*_STATES),
                        "revoked": _CLAIM,
                        "serial": _orNull(_TEXT),
                        "issuer": _orNull(_TEXT),
                        "authority": _orNull(_TEXT),
                        "not_after": _orNull(_MOMENT),
                        "expires_in": _orNull(_NUMBER),
                        "problem": _orNull(_TEXT),
                        "failures": _WHOLE,
                        "next_attempt": _orNull(_MOMENT),
                        "attempt_in": _orNull(_NUMBER),
                        "reason": _orNull(_TEXT),
                        "preflight": _NAMES,
                        "orders": _WHOLE,
                        "events": _list(
                            _object(
                                {
                                    "kind": _TEXT,
                                    "at": _MOMENT,
                                    "names": _NAMES,
                                    "not_after": _orNull(_MOMENT),
                                    "problem": _orNull(_TEXT),
                                    "next_attempt": _orNull(_MOMENT),
                                }
                            )
                        ),
                    }
                )
            )
        }
    ),
    "Outcomes": {
        "type": "object",
        "properties": {
            "error": {"type": "object"},
            "certificates": _list(
                {
                    "type": "object",
                    "properties": {
                        "key": _TEXT,
                        "names": _NAMES,
                        "serial": _orNull(_TEXT),
                        "orders": _WHOLE,
                        "outcome": _one("ordering", "already-ordering", "revoked", "already", "refused"),
                        "problem": _TEXT,
                        "error": {"type": "object"},
                    },
                    "required": ["key", "names", "outcome"],
                    "additionalProperties": False,
                }
            ),
        },
        "required": ["certificates"],
        "additionalProperties": False,
    },
    "Findings": _object(
        {
            "findings": _list(
                _object(
                    {
                        "name": _TEXT,
                        "check": _one("dns", "port", "caa", "records"),
                        "value": _one("well", "bad", "unknown"),
                        "text": _TEXT,
                        "remedy": _TEXT,
                    }
                )
            )
        }
    ),
    "Account": _ACCOUNT,
    "Accounts": _object({"accounts": _list(_ref("Account"))}),
    "Deactivated": _object({**_ACCOUNT["properties"], "deactivated": _TEXT}),
    "LogLevel": _object({"level": _orNull(_TEXT)}),
    "Reload": _object({"reloaded": _CLAIM, "changes": _CHANGES, "lines": _NAMES}),
    "Upgrade": _object({"process": {"type": "integer"}, "admin_socket": _orNull(_TEXT)}, "admin_socket"),
    "Upstreams": _object(
        {
            "upstreams": _list(
                _object({"route": _TEXT, "algorithm": _one(*ALGORITHMS), "targets": _list(_TARGET)})
            )
        }
    ),
    "Diversion": _object({"target": _TEXT, "draining": _CLAIM}),
    "Drain": _object({"draining": _CLAIM, "delay": _NUMBER, "within": _NUMBER}),
    "Description": {"type": "object", "required": ["openapi", "info", "paths"]},
}


def _parameter(name: str, text: str, *, isNeeded: bool = False, isMany: bool = False) -> dict[str, Any]:
    schema = _list(_TEXT) if isMany else dict(_TEXT)
    return {"name": name, "in": "query", "required": isNeeded, "description": text, "schema": schema}


def _answers(name: str, status: int) -> dict[str, Any]:
    return {
        str(status): {
            "description": "As it was asked for.",
            "content": {"application/json": {"schema": _ref(name)}},
        },
        "default": _refused({"anyOf": [_ref("Error"), _ref(name)]}),
    }


def _refused(schema: _Schema) -> dict[str, Any]:
    return {
        "description": "Why it was not answered, or not done.",
        "content": {"application/json": {"schema": schema}},
    }


def _ask(text: str, name: str, *parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {"summary": text, "parameters": list(parameters), "responses": _answers(name, 200)}


def _do(text: str, name: str, status: int, members: Mapping[str, _Schema], *optional: str) -> dict[str, Any]:
    body = {"application/json": {"schema": _object(members, *optional)}}
    return {
        "summary": text,
        "requestBody": {"required": len(optional) < len(members), "content": body},
        "responses": _answers(name, status),
    }


def _paths() -> dict[str, Any]:
    return {
        "/v1": {"get": _ask("Which proxy it is, and all that can be asked.", "Greeting")},
        "/v1/status": {"get": _ask("How it stands, at a glance.", "Status")},
        "/v1/routes": {"get": _ask("The routes, as they were settled when they were loaded.", "Routes")},
        "/v1/explain": {
            "get": _ask(
                "Which route takes a URL, and why each other does not.",
                "Explanation",
                _parameter(
                    "url", "https://name/path, http://, tls://name:port or tcp://name:port", isNeeded=True
                ),
                _parameter("method", "of the request: GET unless it is told"),
                _parameter("header", "a header field of it, as it is sent", isMany=True),
                _parameter("client", "the IP address that it comes from"),
                _parameter("tls_version", "1.2 or 1.3: the highest that is spoken unless it is told"),
            )
        },
        "/v1/connections": {"get": _ask("How many there are, and counts since the start.", "Connections")},
        "/v1/upstreams": {
            "get": _ask(
                "How it stands with each target, by route; what is counted is that of all routes together.",
                "Upstreams",
                _parameter("route", "the name of a route", isMany=True),
                _parameter("target", "as the configuration has it", isMany=True),
            )
        },
        "/v1/upstreams/drain": {
            "post": _do("Send nothing new to a target.", "Diversion", 200, {"target": _TEXT})
        },
        "/v1/upstreams/restore": {
            "post": _do("Send something there again.", "Diversion", 200, {"target": _TEXT})
        },
        "/v1/certificates": {
            "get": _ask(
                "How it stands with each certificate, and what happened to it.",
                "Certificates",
                _parameter("name", "of a certificate", isMany=True),
                _parameter("key", "the identity of a certificate", isMany=True),
            )
        },
        "/v1/certificates/renew": {
            "post": _do(
                "Order other certificates now, due or not.",
                "Outcomes",
                202,
                {"names": _NAMES, "all": _CLAIM, "force": _CLAIM},
                "names",
                "all",
                "force",
            )
        },
        "/v1/certificates/revoke": {
            "post": _do(
                "Have certificates declared invalid, and replaced.",
                "Outcomes",
                200,
                {"names": _NAMES, "reason": _one(*REASONS)},
            )
        },
        "/v1/certificates/preflight": {
            "post": _do("Look whether orders for names can succeed.", "Findings", 200, {"names": _NAMES})
        },
        "/v1/accounts": {"get": _ask("The accounts at certificate authorities.", "Accounts")},
        "/v1/accounts/rollover": {
            "post": _do("Give one a new key.", "Account", 200, {"authority": _TEXT}, "authority")
        },
        "/v1/accounts/deactivate": {
            "post": _do("Give one up for good.", "Deactivated", 200, {"authority": _TEXT}, "authority")
        },
        "/metrics": {
            "get": {
                "summary": "All figures, for Prometheus.",
                "parameters": [],
                "responses": {
                    "200": {
                        "description": "As it was asked for.",
                        "content": {"text/plain": {"schema": _TEXT}},
                    },
                    "default": _refused({"$ref": "#/components/schemas/Error"}),
                },
            }
        },
        "/v1/log-level": {
            "get": _ask("From which level on the log of events has what happens.", "LogLevel"),
            "put": _do("Change that.", "LogLevel", 200, {"level": _one("info", "debug")}),
        },
        "/v1/reload": {
            "post": _do(
                "Read the configuration again and go by it, or tell what that would change.",
                "Reload",
                200,
                {"dry_run": _CLAIM},
                "dry_run",
            )
        },
        "/v1/upgrade": {
            "post": _do(
                "Have another process take the place of this one, with what is installed now.",
                "Upgrade",
                200,
                {},
            )
        },
        "/v1/drain": {
            "post": _do(
                "Be not ready at once, and end in order after a delay in seconds.",
                "Drain",
                202,
                {"delay": {"type": "number", "minimum": 0, "maximum": 3600}},
                "delay",
            )
        },
        "/openapi.json": {"get": _ask("This.", "Description")},
    }


def description() -> dict[str, Any]:
    """
    All of it.
    """
    from .. import __version__

    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The admin API of smartproxy",
            "version": __version__,
            "description": "By a unix socket for who may open it, by TCP for who has the token.",
        },
        "paths": _paths(),
        "components": {
            "schemas": dict(_SCHEMAS),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }
