"""
For each option that is about who may use a route: a text that uses it, what to look at, and
what that has to be, as L{tests.config.test_schema} has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smartproxy_tw.config.model import Config
from smartproxy_tw.config.security import (
    BasicAuth,
    CertificateHeaders,
    Cors,
    ForwardAuth,
    JWTAuth,
    RateLimit,
    Security,
    SecurityHeaders,
)

__all__ = ["ARGON2", "BCRYPT", "FILES", "KEY", "OPTIONS", "SECRET", "guarded"]

BCRYPT = "$2b$04$" + "a" * 53
ARGON2 = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzYWx0$" + "A" * 43
SECRET = "0123456789abcdef" * 2


def guarded(text: str, *, defaults: str = "", action: str = "type: respond") -> str:
    """
    A configuration with one route that says so.
    """
    return f"defaults: {{{defaults}}}\nroutes: [{{match: {{ports: 8}}, action: {{{action}}}, {text}}}]\n"


def security(text: str) -> str:
    """
    A configuration with one route that asks for this.
    """
    return guarded(f"security: {{{text}}}")


def limit(text: str) -> str:
    """
    A configuration with one route that limits requests.
    """
    return security(f"rate_limit: {{requests: 5, {text}}}")


def basic(text: str) -> str:
    """
    A configuration with one route for some users.
    """
    return security(f"basic_auth: {{users: {{bob: {BCRYPT}}}, {text}}}")


def jwt(text: str) -> str:
    """
    A configuration with one route for those who have a token.
    """
    return security(f"jwt_auth: {{algorithms: [HS256], secret: {SECRET}, {text}}}")


def fetched(text: str = "") -> str:
    """
    Likewise, with keys from elsewhere.
    """
    return security(f"jwt_auth: {{algorithms: [RS256], jwks_url: 'https://a.b/k', {text}}}")


def forward(text: str) -> str:
    """
    A configuration with one route about which somebody else is asked.
    """
    return security(f"forward_auth: {{url: 'http://auth:9/v', {text}}}")


def shown(text: str) -> str:
    """
    A configuration with one route for those who show a certificate.
    """
    tls = "{mode: terminate, certificate: internal, client_certificates: {mode: require, ca_file: c.pem}}"
    return guarded(
        f"security: {{client_certificate_headers: {{{text}}}}}", action=f"type: respond, tls: {tls}"
    )


def cors(text: str) -> str:
    """
    A configuration with one route for other origins.
    """
    return guarded(f"cors: {{origins: 'https://a.b', {text}}}")


def headers(text: str) -> str:
    """
    A configuration with one route that tells browsers something.
    """
    return guarded(f"security_headers: {{{text}}}")


def strict(text: str) -> str:
    """
    Likewise, about HTTPS.
    """
    return headers(f"strict_transport: {{{text}}}")


def asked(config: Config) -> Any:
    """
    What the first route asks for.
    """
    return config.routes[0].security


def shared(config: Config) -> Any:
    """
    What the first route lets other origins do.
    """
    return config.routes[0].cors


def told(config: Config) -> Any:
    """
    What the first route tells browsers.
    """
    return config.routes[0].securityHeaders


def field(name: str) -> Callable[[Config], Any]:
    """
    One thing of that.
    """
    return lambda config: dict(told(config).fields).get(name)


#: A public key on P-256.
KEY = (
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEbt3Xyc2VjGuUaLEZvMBaG+1KnLFb\n"
    "sfReFcHWewjDdlXqG4aY/IB5moBqwiFU7pzGsa/ltujc0LHW6gKLWkZL1Q==\n"
    "-----END PUBLIC KEY-----\n"
)

#: What is in the files that options name.
FILES = {
    "users": f"# these may\nbob:{BCRYPT}\n\nann:{ARGON2}:Ann\n",
    "secret": SECRET + "\n",
    "key.pem": KEY,
}

_USERS = (("bob", BCRYPT),)

OPTIONS: dict[str, tuple[str, Callable[[Config], Any], Any]] = {
    "Route.security": (security("max_connections: 3"), asked, Security(connections=3)),
    "Route.cors": (cors(""), shared, Cors(("https://a.b",))),
    "Route.security_headers": (
        guarded("security_headers: true"),
        told,
        SecurityHeaders(
            (
                ("X-Content-Type-Options", "nosniff"),
                ("X-Frame-Options", "SAMEORIGIN"),
                ("Referrer-Policy", "strict-origin-when-cross-origin"),
            ),
            "max-age=31536000",
        ),
    ),
    "Route.limits": (guarded("limits: {body_bytes: 7}"), lambda c: c.routes[0].bodyBytes, 7),
    "RouteLimits.body_bytes": (guarded("limits: {body_bytes: 0}"), lambda c: c.routes[0].bodyBytes, 0),
    "File.defaults": (
        guarded("name: a", defaults="security: {max_connections: 3}"),
        asked,
        Security(connections=3),
    ),
    "Defaults.security": (
        guarded(
            "security: {max_connections: 4}",
            defaults="security: {max_connections: 3, ip_block_list: 1.2.3.4}",
        ),
        asked,
        Security(connections=4, blocked=("1.2.3.4",)),
    ),
    "Defaults.security_headers": (
        guarded("name: a", defaults="security_headers: true"),
        lambda c: told(c) is not None,
        True,
    ),
    "Security.inherit": (
        guarded("security: {inherit: false}", defaults="security: {max_connections: 3}"),
        asked,
        None,
    ),
    "Security.ip_allow_list": (
        security("ip_allow_list: '10.0.0.0/8'"),
        asked,
        Security(allowed=("10.0.0.0/8",)),
    ),
    "Security.ip_block_list": (
        security("ip_block_list: ['2001:DB8::/32', 10.0.0.1-10.0.0.9]"),
        asked,
        Security(blocked=("2001:db8::/32", "10.0.0.1-10.0.0.9")),
    ),
    "Security.max_connections": (security("max_connections: 3"), asked, Security(connections=3)),
    "Security.max_connections_per_ip": (security("max_connections_per_ip: 3"), asked, Security(perClient=3)),
    "Security.connection_rate_per_minute": (
        security("connection_rate_per_minute: 3"),
        asked,
        Security(rate=3),
    ),
    "Security.client_prefix": (security("client_prefix: 56"), asked, Security(prefix=56)),
    "Security.rate_limit": (
        security("rate_limit: {requests: 5}"),
        asked,
        Security(limit=RateLimit(5, 1.0, 5)),
    ),
    "RateLimit.requests": (limit(""), asked, Security(limit=RateLimit(5, 1.0, 5))),
    "RateLimit.window": (limit("window: 60"), asked, Security(limit=RateLimit(5, 60.0, 5))),
    "RateLimit.burst": (limit("burst: 9"), asked, Security(limit=RateLimit(5, 1.0, 9))),
    "RateLimit.key": (
        limit("key: 'header:X-Key'"),
        asked,
        Security(limit=RateLimit(5, 1.0, 5, "header", "x-key")),
    ),
    "Security.basic_auth": (basic(""), lambda c: asked(c).basic, BasicAuth(_USERS)),
    "BasicAuth.users": (basic(""), lambda c: asked(c).basic.users, _USERS),
    "BasicAuth.file": (
        security("basic_auth: {file: users}"),
        lambda c: asked(c).basic.users,
        (("bob", BCRYPT), ("ann", ARGON2)),
    ),
    "BasicAuth.realm": (basic("realm: the shop"), lambda c: asked(c).basic.realm, "the shop"),
    "BasicAuth.user_header": (basic("user_header: X-User"), lambda c: asked(c).basic.userHeader, "X-User"),
    "BasicAuth.pass_credentials": (basic("pass_credentials: true"), lambda c: asked(c).basic.passesOn, True),
    "Security.jwt_auth": (jwt(""), lambda c: asked(c).jwt, JWTAuth(("HS256",), secret=SECRET)),
    "JwtAuth.algorithms": (
        security(f"jwt_auth: {{algorithms: [HS512, HS384], secret: {SECRET}}}"),
        lambda c: asked(c).jwt.algorithms,
        ("HS512", "HS384"),
    ),
    "JwtAuth.secret": (jwt(""), lambda c: asked(c).jwt.secret, SECRET),
    "JwtAuth.secret_file": (
        security("jwt_auth: {algorithms: [HS256], secret_file: secret}"),
        lambda c: asked(c).jwt.secret,
        SECRET,
    ),
    "JwtAuth.key_file": (
        security("jwt_auth: {algorithms: [ES256], key_file: key.pem}"),
        lambda c: asked(c).jwt.keys[:26],
        "-----BEGIN PUBLIC KEY-----",
    ),
    "JwtAuth.jwks_url": (fetched(), lambda c: asked(c).jwt.url, "https://a.b/k"),
    "JwtAuth.ca_file": (fetched("ca_file: c.pem"), lambda c: asked(c).jwt.caFile[-5:], "c.pem"),
    "JwtAuth.issuer": (jwt("issuer: x"), lambda c: asked(c).jwt.issuers, ("x",)),
    "JwtAuth.audience": (jwt("audience: [x, y]"), lambda c: asked(c).jwt.audiences, ("x", "y")),
    "JwtAuth.leeway": (jwt("leeway: 0"), lambda c: asked(c).jwt.leeway, 0.0),
    "JwtAuth.token": (
        jwt("token: 'cookie:t'"),
        lambda c: (asked(c).jwt.source, asked(c).jwt.sourceName),
        ("cookie", "t"),
    ),
    "JwtAuth.claims": (jwt("claims: {sub: X-User}"), lambda c: asked(c).jwt.claims, (("sub", "X-User"),)),
    "JwtAuth.scopes": (jwt("scopes: [read]"), lambda c: asked(c).jwt.scopes, ("read",)),
    "JwtAuth.realm": (jwt("realm: api"), lambda c: asked(c).jwt.realm, "api"),
    "JwtAuth.pass_token": (jwt("pass_token: false"), lambda c: asked(c).jwt.passesOn, False),
    "Security.forward_auth": (forward(""), lambda c: asked(c).forward, ForwardAuth("http://auth:9/v")),
    "ForwardAuth.url": (forward(""), lambda c: asked(c).forward.url, "http://auth:9/v"),
    "ForwardAuth.copy_headers": (
        forward("copy_headers: [Remote-User]"),
        lambda c: asked(c).forward.copied,
        ("Remote-User",),
    ),
    "ForwardAuth.answer_headers": (
        forward("answer_headers: [Set-Cookie]"),
        lambda c: asked(c).forward.returned,
        ("Set-Cookie",),
    ),
    "ForwardAuth.request_headers": (
        forward("request_headers: [Cookie]"),
        lambda c: asked(c).forward.asked,
        ("cookie",),
    ),
    "ForwardAuth.timeout": (forward("timeout: 9"), lambda c: asked(c).forward.timeout, 9.0),
    "ForwardAuth.concurrency": (forward("concurrency: 9"), lambda c: asked(c).forward.questions, 9),
    "ForwardAuth.ca_file": (forward("ca_file: c.pem"), lambda c: asked(c).forward.caFile[-5:], "c.pem"),
    "Security.client_certificate_headers": (
        shown("subject: X-S"),
        asked,
        Security(certificate=CertificateHeaders(subject="X-S")),
    ),
    "CertificateHeaders.subject": (shown("subject: X-S"), lambda c: asked(c).certificate.subject, "X-S"),
    "CertificateHeaders.names": (shown("names: X-S"), lambda c: asked(c).certificate.names, "X-S"),
    "CertificateHeaders.fingerprint": (
        shown("fingerprint: X-S"),
        lambda c: asked(c).certificate.fingerprint,
        "X-S",
    ),
    "CertificateHeaders.serial": (shown("serial: X-S"), lambda c: asked(c).certificate.serial, "X-S"),
    "CertificateHeaders.verified": (shown("verified: X-S"), lambda c: asked(c).certificate.verified, "X-S"),
    "Cors.origins": (cors(""), lambda c: shared(c).origins, ("https://a.b",)),
    "Cors.methods": (cors("methods: [PUT]"), lambda c: shared(c).methods, ("PUT",)),
    "Cors.headers": (cors("headers: [X-A]"), lambda c: shared(c).headers, ("x-a",)),
    "Cors.expose": (cors("expose: [X-A]"), lambda c: shared(c).exposed, ("X-A",)),
    "Cors.credentials": (cors("credentials: true"), lambda c: shared(c).credentials, True),
    "Cors.max_age": (cors("max_age: 5"), lambda c: shared(c).maxAge, 5),
    "SecurityHeaders.strict_transport": (headers("strict_transport: 'off'"), lambda c: told(c).strict, None),
    "StrictTransport.max_age": (strict("max_age: 5"), lambda c: told(c).strict, "max-age=5"),
    "StrictTransport.include_subdomains": (
        strict("include_subdomains: true"),
        lambda c: told(c).strict,
        "max-age=31536000; includeSubDomains",
    ),
    "StrictTransport.preload": (
        strict("include_subdomains: true, preload: true"),
        lambda c: told(c).strict,
        "max-age=31536000; includeSubDomains; preload",
    ),
    "SecurityHeaders.content_type_options": (
        headers("content_type_options: 'off'"),
        field("X-Content-Type-Options"),
        None,
    ),
    "SecurityHeaders.frame_options": (headers("frame_options: DENY"), field("X-Frame-Options"), "DENY"),
    "SecurityHeaders.referrer_policy": (headers("referrer_policy: 'off'"), field("Referrer-Policy"), None),
    "SecurityHeaders.permissions_policy": (
        headers("permissions_policy: camera=()"),
        field("Permissions-Policy"),
        "camera=()",
    ),
    "SecurityHeaders.content_security_policy": (
        headers("content_security_policy: \"frame-ancestors 'self'\""),
        field("Content-Security-Policy"),
        "frame-ancestors 'self'",
    ),
    "SecurityHeaders.override": (headers("override: true"), lambda c: told(c).wins, True),
}
