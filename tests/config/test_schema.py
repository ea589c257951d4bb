"""
Tests for L{smartproxy_tw.config.schema}: that every option there is has an effect.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import fields
from ipaddress import ip_network
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import model, schema
from smartproxy_tw.config.dotted import Reference
from smartproxy_tw.config.loading import loads
from smartproxy_tw.config.model import (
    LETSENCRYPT_STAGING,
    TLS,
    AccessLog,
    Acme,
    Admin,
    Application,
    Authority,
    Auto,
    Balance,
    Block,
    Branch,
    CertificateHook,
    Check,
    Conditions,
    Config,
    Dynamic,
    DynamicUpdate,
    Ejection,
    ExternalAccount,
    Files,
    FileTree,
    Forward,
    Health,
    Hook,
    Internal,
    Lexicon,
    Limits,
    Metrics,
    OwnZones,
    Plugin,
    Pool,
    Preflight,
    ProxyHeader,
    ProxyProtocol,
    Redirect,
    Respond,
    RouteTimeouts,
    Sticky,
    Target,
    Timeouts,
    TLSPolicy,
    UpstreamTLS,
    WebSocket,
)
from smartproxy_tw.config.revision import FieldChanges, Headers
from smartproxy_tw.config.security import Security
from smartproxy_tw.facts import Address

from ..plugins.given import given
from .protections import FILES
from .protections import OPTIONS as PROTECTIONS
from .reading import ENVIRONMENT, complaints, understood
from .test_lastingsection import OPTIONS as LASTING
from .test_revisionsection import OPTIONS as REVISIONS

#: Where the configurations that use each option stand.
DIRECTORY = os.path.join("of_test_schema", "here")
#: What somebody shows who speaks to the proxy by TCP.
TOKEN = "0123456789abcdef" * 2
CIPHER = "ECDHE-RSA-AES128-GCM-SHA256"
LOOPBACK = Metrics(Address("127.0.0.1", 9100))
ROUTE = "routes: [{match: {ports: 8}, action: {type: block}}]\n"


RING = "source: ring, settings: {members: ['h:1']}"


def action(text: str, match: str = "ports: 8, domains: a.b") -> str:
    """
    A configuration with one route.
    """
    return f"routes: [{{match: {{{match}}}, action: {{{text}}}}}]"


def branch(text: str) -> str:
    """
    A configuration with one route to one target.
    """
    return action(f"type: forward, targets: {{{text}}}")


def first(config: Config) -> Branch:
    """
    The first branch of the only route.
    """
    found: Branch = deed(config).branches[0]
    return found


def asked(config: Config) -> tuple[str | None, Conditions | None]:
    """
    What that asks for.
    """
    found = first(config)
    return found.path, found.conditions


def ofTLS(config: Config) -> UpstreamTLS | None:
    """
    How the targets of the only route are spoken to.
    """
    found: UpstreamTLS | None = deed(config).tls
    return found


def tls(text: str) -> str:
    """
    A configuration with one route that has to do with TLS.
    """
    return action(f"type: forward, targets: 'h:1', tls: {{{text}}}")


def balancing(options: str) -> str:
    """
    A file with a forward that says more of who is next.
    """
    return action(f"type: forward, targets: 1, load_balancing: {{{options}}}")


def health(options: str) -> str:
    """
    A file with a forward that says how it is found out which targets can be had.
    """
    return action(f"type: forward, targets: 1, health: {{{options}}}")


def pool(text: str) -> str:
    """
    A configuration with one route that bounds its connections.
    """
    return action(f"type: forward, targets: 'h:1', pool: {{{text}}}")


def match(text: str) -> str:
    """
    A configuration with one route.
    """
    return action("type: block", text)


def site(text: str) -> str:
    """
    A configuration with one site.
    """
    return f"sites: {{a.b: {text}}}"


def deed(config: Config) -> Any:
    """
    What the first route does.
    """
    return config.routes[0].action


#: For each option of the schema: a text that uses it, what to look at, and what that
#: has to be, which is never what it would be without the option.
OPTIONS: dict[str, tuple[str, Callable[[Config], Any], Any]] = {
    **PROTECTIONS,
    "File.include": ("include: more.yaml", lambda c: c.routes[0].name, "included"),
    "File.bind": ("bind: ['::1']\n" + ROUTE, lambda c: c.bind, ("::1",)),
    "File.workers": ("workers: 4\n" + ROUTE, lambda c: c.workers, 4),
    "File.state_dir": ("state_dir: ./s\n" + ROUTE, lambda c: os.path.basename(c.stateDir), "s"),
    "File.access_log": ("access_log: {format: 'off'}\n" + ROUTE, lambda c: c.accessLog.format, "off"),
    "AccessLog.format": ("access_log: {format: json}\n" + ROUTE, lambda c: c.accessLog, AccessLog("json")),
    "AccessLog.file": (
        "access_log: {file: a.log}\n" + ROUTE,
        lambda c: os.path.basename(c.accessLog.file),
        "a.log",
    ),
    "File.log": ("log: {format: json}\n" + ROUTE, lambda c: c.logFormat, "json"),
    "Log.format": ("log: {format: json}\n" + ROUTE, lambda c: c.logFormat, "json"),
    "File.admin": ("admin: off\n" + ROUTE, lambda c: c.admin, None),
    "Admin.socket": (
        "admin: {socket: a.sock}\n" + ROUTE,
        lambda c: os.path.basename(c.admin.socket),
        "a.sock",
    ),
    "File.metrics": ("metrics: {listen: 9100}\n" + ROUTE, lambda c: c.metrics, LOOPBACK),
    "Metrics.listen": ("metrics: {listen: '127.0.0.1:9100'}\n" + ROUTE, lambda c: c.metrics, LOOPBACK),
    "Admin.listen": (
        f"admin: {{listen: '127.0.0.1:2019', token: {TOKEN}}}\n" + ROUTE,
        lambda c: c.admin.listen,
        Address("127.0.0.1", 2019),
    ),
    "Admin.token": (
        f"admin: {{listen: '[::1]:2019', token: '${{NONE:-{TOKEN}}}'}}\n" + ROUTE,
        lambda c: c.admin.token,
        TOKEN,
    ),
    "Admin.token_file": (
        "admin: {listen: '127.0.0.1:2019', token_file: k.pem}\n" + ROUTE,
        lambda c: os.path.basename(c.admin.tokenFile),
        "k.pem",
    ),
    "Admin.allow_remote": (
        f"admin: {{listen: '10.0.0.1:2019', token: {TOKEN}, allow_remote: true}}\n" + ROUTE,
        lambda c: c.admin.listen.host,
        "10.0.0.1",
    ),
    "File.timeouts": ("timeouts: {head: 3}\n" + ROUTE, lambda c: c.timeouts, Timeouts(head=3)),
    "Timeouts.head": ("timeouts: {head: 3}\n" + ROUTE, lambda c: c.timeouts, Timeouts(head=3)),
    "Timeouts.connect": ("timeouts: {connect: 3}\n" + ROUTE, lambda c: c.timeouts, Timeouts(connect=3)),
    "Timeouts.idle": ("timeouts: {idle: 0.5}\n" + ROUTE, lambda c: c.timeouts, Timeouts(idle=0.5)),
    "Timeouts.keep_alive": (
        "timeouts: {keep_alive: 3}\n" + ROUTE,
        lambda c: c.timeouts,
        Timeouts(keepAlive=3),
    ),
    "Timeouts.body": ("timeouts: {body: 3}\n" + ROUTE, lambda c: c.timeouts, Timeouts(body=3)),
    "Timeouts.write": ("timeouts: {write: 3}\n" + ROUTE, lambda c: c.timeouts, Timeouts(write=3)),
    "Limits.body_bytes": ("limits: {body_bytes: 3}\n" + ROUTE, lambda c: c.limits, Limits(bodyBytes=3)),
    "Limits.held_bytes": (
        "limits: {held_bytes: 65536}\n" + ROUTE,
        lambda c: c.limits,
        Limits(heldBytes=65536),
    ),
    "Limits.min_rate": ("limits: {min_rate: 3}\n" + ROUTE, lambda c: c.limits, Limits(minRate=3)),
    "File.python_path": ("python_path: /usr\n" + ROUTE, lambda c: c.pythonPath, ("/usr",)),
    "Limits.streams": ("limits: {streams: 3}\n" + ROUTE, lambda c: c.limits, Limits(streams=3)),
    "File.http2_prior_knowledge": (
        "http2_prior_knowledge: true\n" + ROUTE,
        lambda c: c.http2PriorKnowledge,
        True,
    ),
    "File.watch": ("watch: true\n" + ROUTE, lambda c: c.watch, True),
    "File.request_id": ("request_id: false\n" + ROUTE, lambda c: c.requestID, False),
    "Timeouts.drain_streams": (
        "timeouts: {drain_streams: 3}\n" + ROUTE,
        lambda c: c.timeouts,
        Timeouts(drainStreams=3),
    ),
    "Timeouts.drain": ("timeouts: {drain: 3}\n" + ROUTE, lambda c: c.timeouts, Timeouts(drain=3)),
    "File.limits": ("limits: {connections: 3}\n" + ROUTE, lambda c: c.limits, Limits(connections=3)),
    "Limits.head_bytes": ("limits: {head_bytes: 9000}\n" + ROUTE, lambda c: c.limits, Limits(headBytes=9000)),
    "Limits.url_bytes": ("limits: {url_bytes: 300}\n" + ROUTE, lambda c: c.limits, Limits(urlBytes=300)),
    "Limits.connections": ("limits: {connections: 3}\n" + ROUTE, lambda c: c.limits, Limits(connections=3)),
    "File.trusted_proxies": (
        "trusted_proxies: [10.0.0.0/8, '::1']\n" + ROUTE,
        lambda c: c.trustedProxies,
        (ip_network("10.0.0.0/8"), ip_network("::1")),
    ),
    "File.proxy_protocol": (
        "proxy_protocol: {from: '::1'}\n" + ROUTE,
        lambda c: c.proxyProtocol,
        ProxyProtocol((8,), (ip_network("::1"),)),
    ),
    "ProxyProtocol.ports": (
        "proxy_protocol: {from: '::1', ports: {from: 7, to: 8}}\n"
        + ROUTE.replace("ports: 8", "ports: [7, 8]"),
        lambda c: c.proxyProtocol.ports,
        (7, 8),
    ),
    "ProxyProtocol.from": (
        "proxy_protocol: {from: [10.0.0.0/8, '::1']}\n" + ROUTE,
        lambda c: c.proxyProtocol.senders,
        (ip_network("10.0.0.0/8"), ip_network("::1")),
    ),
    "ProxyProtocol.mode": (
        "proxy_protocol: {from: '::1', mode: accept}\n" + ROUTE,
        lambda c: c.proxyProtocol.mode,
        "accept",
    ),
    "ProxyProtocol.timeout": (
        "proxy_protocol: {from: '::1', timeout: 2}\n" + ROUTE,
        lambda c: c.proxyProtocol.timeout,
        2.0,
    ),
    "File.acme": ("acme: {http_port: 81}\n" + ROUTE, lambda c: c.acme, Acme(httpPort=81)),
    "Acme.email": ("acme: {email: a@b}\n" + ROUTE, lambda c: c.acme, Acme(email="a@b")),
    "Acme.directory": (
        "acme: {directory: letsencrypt-staging}\n" + ROUTE,
        lambda c: c.acme,
        Acme(directory=LETSENCRYPT_STAGING),
    ),
    "Acme.ca_file": (
        "acme: {ca_file: c.pem}\n" + ROUTE,
        lambda c: os.path.basename(c.acme.caFile or ""),
        "c.pem",
    ),
    "Acme.external_account": (
        "acme: {external_account: {key_id: k, hmac_key: a-_A}}\n" + ROUTE,
        lambda c: c.acme.external,
        ExternalAccount("k", "a-_A"),
    ),
    "ExternalAccount.key_id": (
        "acme: {external_account: {key_id: other, hmac_key: a-_A}}\n" + ROUTE,
        lambda c: c.acme.external.keyID,
        "other",
    ),
    "ExternalAccount.hmac_key": (
        "acme: {external_account: {key_id: k, hmac_key: abcd}}\n" + ROUTE,
        lambda c: c.acme.external.hmacKey,
        "abcd",
    ),
    "ExternalAccount.hmac_key_file": (
        "acme: {external_account: {key_id: k, hmac_key_file: c.pem}}\n" + ROUTE,
        lambda c: os.path.basename(c.acme.external.hmacKeyFile),
        "c.pem",
    ),
    "Acme.profile": (
        "acme: {profile: tlsserver}\n" + ROUTE,
        lambda c: c.acme,
        Acme(profile="tlsserver"),
    ),
    "Acme.key_type": (
        "acme: {key_type: rsa-3072, fallbacks: [{directory: https://ca.b/d}]}\n" + ROUTE,
        lambda c: (c.acme.keyType, c.acme.fallbacks[0].keyType),
        ("rsa-3072", "rsa-3072"),
    ),
    "Acme.fallbacks": (
        "acme: {email: a@b, fallbacks: [{directory: letsencrypt-staging}]}\n" + ROUTE,
        lambda c: c.acme.fallbacks,
        (Authority("a@b", LETSENCRYPT_STAGING),),
    ),
    "Acme.preflight": (
        "acme: {preflight: strict}\n" + ROUTE,
        lambda c: c.acme.preflight,
        Preflight("strict"),
    ),
    "Preflight.mode": (
        "acme: {preflight: {mode: off}}\n" + ROUTE,
        lambda c: c.acme.preflight,
        Preflight("off"),
    ),
    "Preflight.resolvers": (
        "acme: {preflight: {resolvers: ['192.0.2.1', '[2001:db8::1]:5353']}}\n" + ROUTE,
        lambda c: c.acme.preflight,
        Preflight(resolvers=(Address("192.0.2.1", 53), Address("2001:db8::1", 5353))),
    ),
    "Preflight.http_port": (
        "acme: {preflight: {http_port: 5002}}\n" + ROUTE,
        lambda c: c.acme.preflight,
        Preflight(httpPort=5002),
    ),
    "Preflight.tls_port": (
        "acme: {preflight: {tls_port: 5001}}\n" + ROUTE,
        lambda c: c.acme.preflight,
        Preflight(tlsPort=5001),
    ),
    "Acme.dns": (
        "acme: {dns: {type: rfc2136, server: ns.a}}\n" + ROUTE,
        lambda c: c.acme.dns,
        DynamicUpdate(Address("ns.a", 53)),
    ),
    "OwnZones.type": (
        "acme: {dns: {type: zone, zones: [p.a.b], name: ns.a.b, listen: 127.0.0.1}}\n" + ROUTE,
        lambda c: type(c.acme.dns),
        OwnZones,
    ),
    "OwnZones.zones": (
        "acme: {dns: {type: zone, zones: [P.a.b., q.a.b], name: ns.a.b, listen: 127.0.0.1}}\n" + ROUTE,
        lambda c: c.acme.dns.zones,
        ("p.a.b", "q.a.b"),
    ),
    "OwnZones.name": (
        "acme: {dns: {type: zone, zones: [p.a.b], name: NS2.a.b, listen: 127.0.0.1}}\n" + ROUTE,
        lambda c: c.acme.dns.name,
        "ns2.a.b",
    ),
    "OwnZones.listen": (
        "acme: {dns: {type: zone, zones: [p.a.b], name: ns.a.b, listen: ['127.0.0.1:5353', '::']}}\n" + ROUTE,
        lambda c: c.acme.dns.listen,
        (Address("127.0.0.1", 5353), Address("::", 53)),
    ),
    "Hook.type": (
        "acme: {dns: {type: exec, command: [sh]}}\n" + ROUTE,
        lambda c: type(c.acme.dns),
        Hook,
    ),
    "Hook.command": (
        "acme: {dns: {type: exec, command: [/bin/sh, -c, ls]}}\n" + ROUTE,
        lambda c: c.acme.dns.command,
        ("/bin/sh", "-c", "ls"),
    ),
    "Hook.timeout": (
        "acme: {dns: {type: exec, command: [sh], timeout: 5}}\n" + ROUTE,
        lambda c: c.acme.dns.timeout,
        5.0,
    ),
    "Hook.zone": (
        "acme: {dns: {type: exec, command: [sh], zone: B.C.}}\n" + ROUTE,
        lambda c: c.acme.dns.zone,
        "b.c",
    ),
    "Hook.resolvers": (
        "acme: {dns: {type: exec, command: [sh], resolvers: 192.0.2.1}}\n" + ROUTE,
        lambda c: c.acme.dns.resolvers,
        (Address("192.0.2.1", 53),),
    ),
    "Hook.name_servers": (
        "acme: {dns: {type: exec, command: [sh], name_servers: 192.0.2.1}}\n" + ROUTE,
        lambda c: c.acme.dns.nameServers,
        (Address("192.0.2.1", 53),),
    ),
    "Hook.patience": (
        "acme: {dns: {type: exec, command: [sh], patience: 5}}\n" + ROUTE,
        lambda c: c.acme.dns.patience,
        5.0,
    ),
    **{
        f"Lexicon.{option}": (
            f"acme: {{dns: {{type: lexicon, provider: cloudflare, {text}}}}}\n" + ROUTE,
            look,
            expected,
        )
        for option, text, look, expected in (
            ("type", "ttl: 5", lambda c: type(c.acme.dns), Lexicon),
            ("provider", "ttl: 5", lambda c: c.acme.dns.provider, "cloudflare"),
            (
                "options",
                "options: {'zone_id': 17}",
                lambda c: c.acme.dns.options,
                (("zone_id", "17"),),
            ),
            (
                "option_files",
                "option_files: {'auth_token': c.pem}",
                lambda c: [(name, os.path.basename(file)) for name, file in c.acme.dns.optionFiles],
                [("auth_token", "c.pem")],
            ),
            ("ttl", "ttl: 5", lambda c: c.acme.dns.ttl, 5),
            ("timeout", "timeout: 5", lambda c: c.acme.dns.timeout, 5.0),
            ("zone", "zone: B.C.", lambda c: c.acme.dns.zone, "b.c"),
            (
                "resolvers",
                "resolvers: 192.0.2.1",
                lambda c: c.acme.dns.resolvers,
                (Address("192.0.2.1", 53),),
            ),
            (
                "name_servers",
                "name_servers: 192.0.2.1",
                lambda c: c.acme.dns.nameServers,
                (Address("192.0.2.1", 53),),
            ),
            ("patience", "patience: 5", lambda c: c.acme.dns.patience, 5.0),
        )
    },
    "DynamicUpdate.type": (
        "acme: {dns: {type: rfc2136, server: ns.a}}\n" + ROUTE,
        lambda c: type(c.acme.dns),
        DynamicUpdate,
    ),
    "DynamicUpdate.server": (
        "acme: {dns: {type: rfc2136, server: '[::1]:5353'}}\n" + ROUTE,
        lambda c: c.acme.dns.server,
        Address("::1", 5353),
    ),
    "DynamicUpdate.key_name": (
        "acme: {dns: {type: rfc2136, server: a.b, key_name: Key., key_secret: YWJj}}\n" + ROUTE,
        lambda c: c.acme.dns.keyName,
        "key",
    ),
    "DynamicUpdate.key_algorithm": (
        "acme: {dns: {type: rfc2136, server: a.b, key_algorithm: hmac-sha512}}\n" + ROUTE,
        lambda c: c.acme.dns.keyAlgorithm,
        "hmac-sha512",
    ),
    "DynamicUpdate.key_secret": (
        "acme: {dns: {type: rfc2136, server: a.b, key_name: k, key_secret: YWJj}}\n" + ROUTE,
        lambda c: c.acme.dns.keySecret,
        "YWJj",
    ),
    "DynamicUpdate.ttl": (
        "acme: {dns: {type: rfc2136, server: a.b, ttl: 5}}\n" + ROUTE,
        lambda c: c.acme.dns.ttl,
        5,
    ),
    "DynamicUpdate.zone": (
        "acme: {dns: {type: rfc2136, server: a.b, zone: B.C.}}\n" + ROUTE,
        lambda c: c.acme.dns.zone,
        "b.c",
    ),
    "DynamicUpdate.resolvers": (
        "acme: {dns: {type: rfc2136, server: a.b, resolvers: 192.0.2.1}}\n" + ROUTE,
        lambda c: c.acme.dns.resolvers,
        (Address("192.0.2.1", 53),),
    ),
    "DynamicUpdate.name_servers": (
        "acme: {dns: {type: rfc2136, server: a.b, name_servers: ['192.0.2.1:54', '::1']}}\n" + ROUTE,
        lambda c: c.acme.dns.nameServers,
        (Address("192.0.2.1", 54), Address("::1", 53)),
    ),
    "DynamicUpdate.patience": (
        "acme: {dns: {type: rfc2136, server: a.b, patience: 5}}\n" + ROUTE,
        lambda c: c.acme.dns.patience,
        5.0,
    ),
    "DynamicUpdate.key_secret_file": (
        "acme: {dns: {type: rfc2136, server: a.b, key_name: k, key_secret_file: c.pem}}\n" + ROUTE,
        lambda c: os.path.basename(c.acme.dns.keySecretFile),
        "c.pem",
    ),
    "Acme.hooks": (
        "acme: {hooks: [{command: [sh]}, {command: [sh, -c], events: failed}]}\n" + ROUTE,
        lambda c: c.acme.hooks,
        (CertificateHook(("sh",)), CertificateHook(("sh", "-c"), ("failed",))),
    ),
    "CertificateHook.command": (
        "acme: {hooks: [{command: [/bin/sh, -c, ls]}]}\n" + ROUTE,
        lambda c: c.acme.hooks[0].command,
        ("/bin/sh", "-c", "ls"),
    ),
    "CertificateHook.events": (
        "acme: {hooks: [{command: [sh], events: [failed, issued]}]}\n" + ROUTE,
        lambda c: c.acme.hooks[0].events,
        ("failed", "issued"),
    ),
    "CertificateHook.names": (
        "acme: {hooks: [{command: [sh], names: A.b.}]}\n" + site("1"),
        lambda c: c.acme.hooks[0].names,
        ("a.b",),
    ),
    "CertificateHook.timeout": (
        "acme: {hooks: [{command: [sh], timeout: 5}]}\n" + ROUTE,
        lambda c: c.acme.hooks[0].timeout,
        5.0,
    ),
    "Fallback.directory": (
        "acme: {fallbacks: [{directory: https://ca.b/d}]}\n" + ROUTE,
        lambda c: c.acme.fallbacks[0].directory,
        "https://ca.b/d",
    ),
    "Fallback.email": (
        "acme: {email: a@b, fallbacks: [{directory: https://ca.b/d, email: c@d}]}\n" + ROUTE,
        lambda c: c.acme.fallbacks[0].email,
        "c@d",
    ),
    "Fallback.ca_file": (
        "acme: {fallbacks: [{directory: https://ca.b/d, ca_file: c.pem}]}\n" + ROUTE,
        lambda c: os.path.basename(c.acme.fallbacks[0].caFile),
        "c.pem",
    ),
    "Fallback.external_account": (
        "acme: {fallbacks: [{directory: https://ca.b/d, external_account: {key_id: k, hmac_key: a-_A}}]}\n"
        + ROUTE,
        lambda c: c.acme.fallbacks[0].external,
        ExternalAccount("k", "a-_A"),
    ),
    "Fallback.profile": (
        "acme: {fallbacks: [{directory: https://ca.b/d, profile: short}]}\n" + ROUTE,
        lambda c: c.acme.fallbacks[0].profile,
        "short",
    ),
    "Acme.challenges": (
        "acme: {challenges: [tls-alpn-01]}\n" + ROUTE,
        lambda c: c.acme,
        Acme(challenges=("tls-alpn-01",)),
    ),
    "Acme.http_port": ("acme: {http_port: 81}\n" + site("1"), lambda c: c.ports, (81, 443)),
    "Acme.tls_port": ("acme: {tls_port: 444}\n" + site("1"), lambda c: c.ports, (80, 444)),
    "File.sites": (site("1"), lambda c: len(c.routes), 2),
    "Site.to": (site("{to: ['h:1', 'h:2']}"), deed, Forward((Target("h", 1), Target("h", 2)))),
    "Site.www": (site("{to: 1, www: redirect}"), lambda c: c.routes[2].domains, ("www.a.b",)),
    "Site.certificate": (
        site("{to: 1, certificate: internal}"),
        lambda c: c.routes[0].tls,
        TLS("terminate", Internal(("a.b",))),
    ),
    "Site.headers": (
        site("{to: 1, headers: {response: {set: {X-A: b}}}}"),
        lambda c: [each.headers for each in c.routes],
        [Headers(response=FieldChanges((("X-A", "b"),))), None],
    ),
    "Site.rewrite": (
        site("{to: 1, rewrite: {strip_prefix: /x}}"),
        lambda c: [each.rewrite is None for each in c.routes],
        [False, True],
    ),
    "Site.compress": (
        site("{to: 1, compress: {types: [text/plain]}}"),
        lambda c: c.routes[0].compress.types,
        ("text/plain",),
    ),
    "Site.error_pages": (
        site("{to: 1, error_pages: {404: {body: x}}}"),
        lambda c: [len(each.errorPages) for each in c.routes],
        [1, 0],
    ),
    "Site.security": (
        site("{to: 1, security: {max_connections: 3, client_prefix: 56}}"),
        lambda c: [each.security for each in c.routes],
        [Security(connections=3, prefix=56), Security(connections=3, prefix=56)],
    ),
    "Site.cors": (
        site("{to: 1, cors: {origins: 'https://x.y'}}"),
        lambda c: [each.cors is None for each in c.routes],
        [False, True],
    ),
    "Site.security_headers": (
        site("{to: 1, security_headers: true}"),
        lambda c: [each.securityHeaders is None for each in c.routes],
        [False, False],
    ),
    "Site.timeouts": (
        site("{to: 1, timeouts: {idle: 7}}"),
        lambda c: [each.timeouts for each in c.routes],
        [RouteTimeouts(7.0), None],
    ),
    "Site.websocket": (
        site("{to: 1, websocket: false}"),
        lambda c: [each.webSocket for each in c.routes],
        [WebSocket(False), None],
    ),
    "Site.limits": (
        site("{to: 1, limits: {body_bytes: 7}}"),
        lambda c: [each.bodyBytes for each in c.routes],
        [7, None],
    ),
    "File.routes": (ROUTE, lambda c: len(c.routes), 1),
    "Route.name": (
        "routes: [{name: x, match: {ports: 8}, action: {type: block}}]",
        lambda c: c.routes[0].name,
        "x",
    ),
    "Route.match": (match("ports: 9"), lambda c: c.ports, (9,)),
    "Route.action": (action("type: block"), deed, Block()),
    "Route.priority": (
        "routes: [{match: {ports: 8}, action: {type: block}, priority: -3}]",
        lambda c: c.routes[0].priority,
        -3,
    ),
    "Route.enabled": (
        ROUTE[:-2] + ", {match: {ports: 9}, action: {type: block}, enabled: false}]",
        lambda c: c.ports,
        (8,),
    ),
    "Match.ports": (match("ports: [9, 7]"), lambda c: c.ports, (7, 9)),
    "PortRange.from": (match("ports: {from: 7, to: 9}"), lambda c: c.ports[0], 7),
    "PortRange.to": (match("ports: [{from: 7, to: 9}]"), lambda c: c.ports, (7, 8, 9)),
    "Match.domains": (
        match("ports: 8, domains: [A.b, '*.c']"),
        lambda c: c.routes[0].domains,
        ("a.b", "*.c"),
    ),
    "Match.path": (match("ports: 8, path: /x/*"), lambda c: c.routes[0].path, "/x/*"),
    "Match.headers": (
        match("ports: 8, headers: {X-A: [b, 'c*'], d: e}"),
        lambda c: c.routes[0].conditions,
        Conditions(headers=(("x-a", ("b", "c*")), ("d", ("e",)))),
    ),
    "Match.query": (
        match("ports: 8, query: {A: [b, 'c*'], d: ''}"),
        lambda c: c.routes[0].conditions,
        Conditions(query=(("A", ("b", "c*")), ("d", ("",)))),
    ),
    "Match.method": (
        match("ports: 8, method: [GET, HEAD]"),
        lambda c: c.routes[0].conditions,
        Conditions(methods=("GET", "HEAD")),
    ),
    "Match.client_ip": (
        match("ports: 8, client_ip: [10.0.0.1/32, '2001:DB8::/32', '10.0.*.*']"),
        lambda c: c.routes[0].conditions,
        Conditions(clients=("10.0.0.1", "2001:db8::/32", "10.0.*.*")),
    ),
    "Match.tls_version": (
        action("type: block, tls: {mode: terminate}", "ports: 8, domains: a.b, tls_version: 1.3"),
        lambda c: c.routes[0].conditions,
        Conditions(tlsVersions=("1.3",)),
    ),
    "Match.protocol": (match("ports: 8, protocol: http"), lambda c: c.routes[0].protocol, "http"),
    "Forward.type": (action("type: forward, targets: 3"), deed, Forward((Target("127.0.0.1", 3),))),
    "Forward.targets": (
        action("type: forward, targets: ['h:1', 2]"),
        deed,
        Forward((Target("h", 1), Target("127.0.0.1", 2))),
    ),
    "Forward.tls": (tls("mode: passthrough"), lambda c: c.routes[0].tls, TLS("passthrough")),
    "Forward.pool": (pool("connections: 9"), lambda c: deed(c).pool, Pool(9)),
    "Forward.load_balancing": (
        action("type: forward, targets: 1, load_balancing: ip-hash"),
        lambda c: deed(c).balance,
        Balance("ip-hash"),
    ),
    "Site.load_balancing": (
        "sites: {a.test: {to: 1, load_balancing: least-connections}}",
        lambda c: deed(c).balance,
        Balance("least-connections"),
    ),
    "Balancing.algorithm": (
        balancing("algorithm: random-two-choices"),
        lambda c: deed(c).balance,
        Balance("random-two-choices"),
    ),
    "Balancing.slow_start": (balancing("slow_start: 30"), lambda c: deed(c).balance, Balance(slowStart=30.0)),
    "Balancing.sticky": (balancing("sticky: {}"), lambda c: deed(c).balance, Balance(sticky=Sticky())),
    "Sticky.cookie": (
        balancing("sticky: {cookie: sid}"),
        lambda c: deed(c).balance.sticky,
        Sticky("sid"),
    ),
    "Sticky.max_age": (
        balancing("sticky: {max_age: 60}"),
        lambda c: deed(c).balance.sticky,
        Sticky(maxAge=60),
    ),
    "Sticky.secret": (
        balancing("sticky: {secret: 0123456789abcdef}"),
        lambda c: deed(c).balance.sticky,
        Sticky(secret="0123456789abcdef"),
    ),
    "Forward.health": (
        action("type: forward, targets: 1, health: {active: {}}"),
        lambda c: deed(c).health,
        Health(Check()),
    ),
    "Site.health": (
        "sites: {a.test: {to: 1, health: {active: {}}}}",
        lambda c: deed(c).health,
        Health(Check()),
    ),
    "Health.active": (health("active: {}"), lambda c: deed(c).health.active, Check()),
    "Health.passive": (
        health("passive: {}"),
        lambda c: deed(c).health.passive,
        Ejection(5, 10.0, 300.0, True),
    ),
    "ActiveCheck.type": (health("active: {type: tcp}"), lambda c: deed(c).health.active, Check("tcp")),
    "ActiveCheck.path": (health("active: {path: /up}"), lambda c: deed(c).health.active, Check(path="/up")),
    "ActiveCheck.host": (health("active: {host: a.b}"), lambda c: deed(c).health.active, Check(host="a.b")),
    "ActiveCheck.port": (health("active: {port: 9}"), lambda c: deed(c).health.active, Check(port=9)),
    "ActiveCheck.status": (
        health("active: {status: [200, 3xx, 401-403]}"),
        lambda c: deed(c).health.active,
        Check(statuses=((200, 200), (300, 399), (401, 403))),
    ),
    "ActiveCheck.interval": (
        health("active: {interval: 0.5}"),
        lambda c: deed(c).health.active,
        Check(interval=0.5),
    ),
    "ActiveCheck.timeout": (
        health("active: {timeout: 2}"),
        lambda c: deed(c).health.active,
        Check(timeout=2.0),
    ),
    "ActiveCheck.healthy": (health("active: {healthy: 1}"), lambda c: deed(c).health.active, Check(rise=1)),
    "ActiveCheck.unhealthy": (
        health("active: {unhealthy: 1}"),
        lambda c: deed(c).health.active,
        Check(fall=1),
    ),
    "PassiveCheck.failures": (
        health("passive: {failures: 2}"),
        lambda c: deed(c).health.passive.failures,
        2,
    ),
    "PassiveCheck.eject_for": (
        health("passive: {eject_for: 3}"),
        lambda c: deed(c).health.passive.seconds,
        3.0,
    ),
    "PassiveCheck.statuses": (
        health("passive: {statuses: [503, 429]}"),
        lambda c: deed(c).health.passive.statuses,
        {429, 503},
    ),
    "PassiveCheck.eject_for_at_most": (
        health("passive: {eject_for_at_most: 30}"),
        lambda c: deed(c).health.passive.longest,
        30.0,
    ),
    "Target.weight": (
        action("type: forward, targets: [{host: a, port: 1, weight: 5}]"),
        lambda c: deed(c).targets,
        (Target("a", 1, weight=5),),
    ),
    "UnixTarget.weight": (
        action("type: forward, targets: [{unix: /x, weight: 5}]"),
        lambda c: deed(c).targets,
        (Target("/x", 0, weight=5),),
    ),
    "Service.srv": (
        action("type: forward, targets: {srv: _http._tcp.a.test}"),
        lambda c: deed(c).targets,
        (Target("_http._tcp.a.test", None, isService=True),),
    ),
    "Service.weight": (
        action("type: forward, targets: {srv: _http._tcp.a.test, weight: 7}"),
        lambda c: deed(c).targets[0].weight,
        7,
    ),
    "Pool.connections": (pool("connections: 9"), lambda c: deed(c).pool, Pool(9, 1000, 5.0)),
    "Pool.queue": (pool("connections: 9, queue: 0"), lambda c: deed(c).pool, Pool(9, 0)),
    "Pool.wait": (pool("connections: 9, wait: 0.5"), lambda c: deed(c).pool, Pool(9, wait=0.5)),
    "Target.host": (action("type: forward, targets: {host: H, port: 3}"), deed, Forward((Target("h", 3),))),
    "Target.port": (
        action("type: forward, targets: [{host: h, port: preserve}]"),
        deed,
        Forward((Target("h", None),)),
    ),
    "Forward.decision_timeout": (
        action("type: forward, targets: 'python:shop.pick', decision_timeout: 2"),
        deed,
        Forward((), dynamic=Dynamic(Reference("shop.pick"), timeout=2.0)),
    ),
    "Target.match": (
        branch("host: h, port: 1, match: {path: /a, method: GET}"),
        asked,
        ("/a", Conditions(methods=("GET",))),
    ),
    "Target.priority": (
        action("type: forward, targets: [{host: h, port: 1, priority: 3}, 2]"),
        lambda c: first(c).priority,
        3,
    ),
    "Target.tls": (branch("host: h, port: 1, tls: true"), lambda c: deed(c).tls, UpstreamTLS()),
    "Target.headers": (
        branch("host: h, port: 1, headers: {X-A: b, X-C: [d, e]}"),
        lambda c: first(c).headers,
        (("X-A", "b"), ("X-C", "d"), ("X-C", "e")),
    ),
    "UnixTarget.match": (branch("unix: /x, match: {path: /a}"), asked, ("/a", None)),
    "UnixTarget.priority": (
        action("type: forward, targets: [{unix: /x, priority: 3}, 2]"),
        lambda c: first(c).priority,
        3,
    ),
    "UnixTarget.tls": (branch("unix: /x, tls: {server_name: a.b}"), ofTLS, UpstreamTLS("a.b")),
    "UnixTarget.headers": (
        branch("unix: /x, headers: {X-A: 1}"),
        lambda c: first(c).headers,
        (("X-A", "1"),),
    ),
    "SourceTarget.source": (branch(RING), lambda c: deed(c).dynamic.decide.name, "ring"),
    "SourceTarget.settings": (
        branch(RING),
        lambda c: deed(c).dynamic.decide,
        Plugin("ring", '{"members": ["h:1"]}'),
    ),
    "SourceTarget.match": (branch(RING + ", match: {path: /a}"), asked, ("/a", None)),
    "SourceTarget.priority": (
        action(f"type: forward, targets: [{{{RING}, priority: 3}}, 2]"),
        lambda c: first(c).priority,
        3,
    ),
    "SourceTarget.tls": (branch(RING + ", tls: true"), ofTLS, UpstreamTLS()),
    "SourceTarget.headers": (
        branch(RING + ", headers: {X-A: 1}"),
        lambda c: first(c).headers,
        (("X-A", "1"),),
    ),
    "SourceTarget.send_proxy_protocol": (
        branch(RING + ", send_proxy_protocol: v1"),
        lambda c: deed(c).dynamic.proxyHeader,
        ProxyHeader(1),
    ),
    "SourceTarget.protocol": (branch(RING + ", protocol: h2c"), lambda c: deed(c).dynamic.protocol, "h2c"),
    "TargetMatch.path": (branch("host: h, port: 1, match: {path: /a/*}"), asked, ("/a/*", None)),
    "TargetMatch.headers": (
        branch("host: h, port: 1, match: {headers: {X-A: b}}"),
        asked,
        (None, Conditions(headers=(("x-a", ("b",)),))),
    ),
    "TargetMatch.query": (
        branch("host: h, port: 1, match: {query: {a: [b, c]}}"),
        asked,
        (None, Conditions(query=(("a", ("b", "c")),))),
    ),
    "TargetMatch.method": (
        branch("host: h, port: 1, match: {method: [GET, PUT]}"),
        asked,
        (None, Conditions(methods=("GET", "PUT"))),
    ),
    "TargetMatch.client_ip": (
        branch("host: h, port: 1, match: {client_ip: 10.0.0.0/8}"),
        asked,
        (None, Conditions(clients=("10.0.0.0/8",))),
    ),
    "TargetTLS.server_name": (
        branch("host: h, port: 1, tls: {server_name: a.b}"),
        ofTLS,
        UpstreamTLS("a.b"),
    ),
    "TargetTLS.insecure_skip_verify": (
        branch("host: h, port: 1, tls: {insecure_skip_verify: true}"),
        ofTLS,
        UpstreamTLS(None, False),
    ),
    "TargetTLS.ca_file": (
        branch("host: h, port: 1, tls: {ca_file: c.pem}"),
        lambda c: os.path.basename(deed(c).tls.caFile),
        "c.pem",
    ),
    "Forward.send_proxy_protocol": (
        action("type: forward, targets: ['h:1', 2], send_proxy_protocol: v1"),
        deed,
        Forward((Target("h", 1, ProxyHeader(1)), Target("127.0.0.1", 2, ProxyHeader(1)))),
    ),
    "ProxyHeader.version": (
        action("type: forward, targets: 'h:1', send_proxy_protocol: {version: v2}"),
        deed,
        Forward((Target("h", 1, ProxyHeader(2)),)),
    ),
    "ProxyHeader.tlvs": (
        action("type: forward, targets: 'h:1', send_proxy_protocol: {version: v2, tlvs: [ssl, crc32c]}"),
        deed,
        Forward((Target("h", 1, ProxyHeader(2, ("ssl", "crc32c"))),)),
    ),
    "Target.send_proxy_protocol": (
        action("type: forward, targets: {host: h, port: 3, send_proxy_protocol: v2}"),
        deed,
        Forward((Target("h", 3, ProxyHeader(2)),)),
    ),
    "UnixTarget.send_proxy_protocol": (
        action("type: forward, targets: {unix: /x, send_proxy_protocol: off}, send_proxy_protocol: v1"),
        deed,
        Forward((Target("/x", 0),)),
    ),
    "Forward.protocol": (
        action("type: forward, targets: ['h:1', {host: g, port: 2, protocol: http/1.1}], protocol: h2c"),
        lambda c: (deed(c), c.routes[0].protocol),
        (Forward((Target("h", 1, protocol="h2c"), Target("g", 2))), "http"),
    ),
    "Target.protocol": (
        action(
            "type: forward, targets: ['h:1', {host: g, port: 3, protocol: auto}], "
            "tls: {mode: terminate-and-reencrypt}",
            "ports: 8, domains: a.b",
        ),
        lambda c: deed(c).targets,
        (Target("h", 1), Target("g", 3, protocol="auto")),
    ),
    "UnixTarget.protocol": (
        action("type: forward, targets: {unix: /x, protocol: h2c}"),
        deed,
        Forward((Target("/x", 0, protocol="h2c"),)),
    ),
    "UnixTarget.unix": (action("type: forward, targets: [{unix: /x}]"), deed, Forward((Target("/x", 0),))),
    "Passthrough.mode": (tls("mode: passthrough"), lambda c: c.routes[0].tls, TLS("passthrough")),
    "Terminate.mode": (
        tls("mode: terminate"),
        lambda c: (c.routes[0].tls, deed(c).tls),
        (TLS("terminate", Auto(("a.b",))), None),
    ),
    "Terminate.certificate": (
        tls("mode: terminate, certificate: internal"),
        lambda c: c.routes[0].tls,
        TLS("terminate", Internal(("a.b",))),
    ),
    "Reencrypt.mode": (
        tls("mode: terminate-and-reencrypt"),
        lambda c: (c.routes[0].tls, deed(c).tls),
        (TLS("terminate", Auto(("a.b",))), UpstreamTLS()),
    ),
    "Reencrypt.certificate": (
        tls("mode: terminate-and-reencrypt, certificate: internal"),
        lambda c: c.routes[0].tls,
        TLS("terminate", Internal(("a.b",))),
    ),
    "Reencrypt.server_name": (
        tls("mode: terminate-and-reencrypt, server_name: X.y"),
        lambda c: deed(c).tls,
        UpstreamTLS(serverName="x.y"),
    ),
    "Reencrypt.insecure_skip_verify": (
        tls("mode: terminate-and-reencrypt, insecure_skip_verify: true"),
        lambda c: deed(c).tls,
        UpstreamTLS(verify=False),
    ),
    "Reencrypt.ca_file": (
        tls("mode: terminate-and-reencrypt, ca_file: c.pem"),
        lambda c: os.path.basename(deed(c).tls.caFile),
        "c.pem",
    ),
    **{
        f"{kind}.{option}": (tls(f"mode: {mode}, {text}"), lambda c: c.routes[0].tls.policy, policy)
        for kind, mode in (("Terminate", "terminate"), ("Reencrypt", "terminate-and-reencrypt"))
        for option, text, policy in (
            ("min_version", "min_version: 1.3", TLSPolicy(lowest="1.3")),
            ("http2", "http2: false", TLSPolicy(http2=False)),
            ("max_version", 'max_version: "1.2"', TLSPolicy(highest="1.2")),
            ("ciphers", f"ciphers: [{CIPHER}]", TLSPolicy(ciphers=(CIPHER,))),
        )
    },
    **{
        f"{kind}.client_certificates": (
            tls(f"mode: {mode}, client_certificates: {{mode: request, ca_file: c.pem}}"),
            lambda c: c.routes[0].tls.policy.clients.mode,
            "request",
        )
        for kind, mode in (("Terminate", "terminate"), ("Reencrypt", "terminate-and-reencrypt"))
    },
    "ClientCertificates.mode": (
        tls("mode: terminate, client_certificates: {mode: require, ca_file: c.pem}"),
        lambda c: c.routes[0].tls.policy.clients.mode,
        "require",
    ),
    "ClientCertificates.ca_file": (
        tls("mode: terminate, client_certificates: {mode: require, ca_file: c.pem}"),
        lambda c: os.path.basename(c.routes[0].tls.policy.clients.caFile),
        "c.pem",
    ),
    "KeyPair.cert": (
        tls("mode: terminate, certificate: {cert: c.pem, key: k.pem}"),
        lambda c: os.path.basename(c.routes[0].tls.certificate.certificate),
        "c.pem",
    ),
    "KeyPair.key": (
        tls("mode: terminate, certificate: {cert: c.pem, key: k.pem}"),
        lambda c: os.path.basename(c.routes[0].tls.certificate.privateKey),
        "k.pem",
    ),
    "Redirect.type": (action("type: redirect, to: /x"), deed, Redirect("/x", 308)),
    "Redirect.to": (action("type: redirect, to: /y"), deed, Redirect("/y")),
    "Redirect.status": (action("type: redirect, to: /x, status: 302"), deed, Redirect("/x", 302)),
    "Redirect.tls": (
        action("type: redirect, to: /x, tls: {mode: terminate}"),
        lambda c: c.routes[0].tls,
        TLS("terminate", Auto(("a.b",))),
    ),
    "Respond.type": (action("type: respond"), deed, Respond()),
    "Respond.status": (action("type: respond, status: 418"), deed, Respond(418)),
    "Respond.headers": (
        action("type: respond, headers: {A: b, Retry-After: 5, C: [d, e]}"),
        deed,
        Respond(headers=(("A", "b"), ("Retry-After", "5"), ("C", "d"), ("C", "e"))),
    ),
    "Respond.body": (action("type: respond, body: ü"), deed, Respond(body="ü")),
    "Respond.tls": (
        action("type: respond, tls: {mode: terminate, certificate: internal}"),
        lambda c: c.routes[0].tls,
        TLS("terminate", Internal(("a.b",))),
    ),
    "Files.type": (action("type: files, root: ."), lambda c: type(deed(c)), FileTree),
    "Files.root": (
        action("type: files, root: ../."),
        lambda c: os.path.basename(deed(c).root),
        os.path.dirname(DIRECTORY),
    ),
    **{
        f"Files.{option}": (
            action(f"type: files, root: ., {option}: {value}"),
            lambda c, name=name: getattr(deed(c), name),
            expected,
        )
        for option, name, value, expected in (
            ("index", "index", "[a.html, b.html]", ("a.html", "b.html")),
            ("listing", "listing", "true", True),
            ("cache", "cache", "{'*.html': no-cache, '/a/*': x}", (("*.html", "no-cache"), ("/a/*", "x"))),
            ("precompressed", "precompressed", "[zstd, gzip]", ("zstd", "gzip")),
            ("fallback", "fallback", "/a.html", "/a.html"),
            ("not_found", "notFound", "/404.html", "/404.html"),
            ("hidden", "hidden", "serve", "serve"),
            ("symlinks", "symlinks", "follow", "follow"),
            ("strip_prefix", "stripPrefix", "/static/*", "/static"),
        )
    },
    "Files.tls": (
        action("type: files, root: ., tls: {mode: terminate, certificate: internal}"),
        lambda c: c.routes[0].tls,
        TLS("terminate", Internal(("a.b",))),
    ),
    "Socket.type": (action("type: socket, factory: 'json:dumps'"), deed, Application("json:dumps")),
    "Socket.factory": (action("type: socket, factory: json.loads"), deed, Application("json.loads")),
    **{
        f"Socket.{option}": (
            action(f"type: socket, factory: json.dumps, {option}: {value}"),
            lambda c, name=name: getattr(deed(c), name),
            expected,
        )
        for option, name, value, expected in (
            ("kind", "kind", "asgi", "asgi"),
            ("arguments", "arguments", "{a: [1, {b: c}]}", '{"a": [1, {"b": "c"}]}'),
            ("threads", "threads", "3", 3),
            ("queue", "queue", "0", 0),
            ("body_bytes", "bodyBytes", "7", 7),
        )
    },
    "Socket.python_path": (
        action("type: socket, factory: json.dumps, python_path: .."),
        lambda c: [os.path.basename(each) for each in deed(c).pythonPath],
        [os.path.dirname(DIRECTORY)],
    ),
    "Socket.tls": (
        action("type: socket, factory: json.dumps, kind: protocol, tls: {mode: passthrough}"),
        lambda c: c.routes[0].tls,
        TLS("passthrough"),
    ),
    "Block.type": (action("type: block"), deed, Block()),
    "Block.status": (action("type: block, status: 451"), deed, Block(451)),
    "Block.body": (action("type: block, body: ü"), deed, Block(body="ü")),
    "Block.reset": (action("type: block, reset: true"), deed, Block(isReset=True)),
    "Block.tls": (
        action("type: block, tls: {mode: passthrough}"),
        lambda c: c.routes[0].tls,
        TLS("passthrough"),
    ),
    **REVISIONS,
    **LASTING,
}


def optionsOf(whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """
    Every option of a schema, by its mapping and name.
    """
    for name, option in whole["properties"].items():
        yield f"File.{name}", option
    for title, definition in whole["$defs"].items():
        for name, option in definition.get("properties", {}).items():
            yield f"{title}.{name}", option


class OptionTests(SynchronousTestCase):
    """
    Every option.
    """

    def setUp(self) -> None:
        """
        There are some plug-ins.
        """
        given(self)

    def test_everyOptionIsTested(self) -> None:
        """
        There is no option in the schema that is not used here, and none here that
        is not in the schema.
        """
        inSchema = {name for name, _ in optionsOf(schema.jsonSchema())}
        self.assertEqual(inSchema, set(OPTIONS))

    def test_everyOptionWorks(self) -> None:
        """
        Each option brings about what it says, in snake_case, in camelCase and in
        JSON.
        """
        directory = DIRECTORY
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "more.yaml"), "w", encoding="ascii") as opened:
            opened.write("routes: [{name: included, match: {ports: 1}, action: {type: block}}]")
        for name in ("c.pem", "k.pem"):
            with open(os.path.join(directory, name), "w", encoding="ascii"):
                pass
        for name, content in FILES.items():
            with open(os.path.join(directory, name), "w", encoding="ascii") as opened:
                opened.write(content)
        for name, (text, look, expected) in OPTIONS.items():
            for form in (text, camelCased(text)):
                found = look(loads(form, "yaml", directory, environ=ENVIRONMENT))
                self.assertEqual(found, expected, f"{name} in {form}")

    def test_admin(self) -> None:
        """
        The admin socket is in the state directory unless it is said where it is, or
        that there is none.
        """
        for text, admin in (
            ("", Admin("/state/admin.sock")),
            ("admin: {}", Admin("/state/admin.sock")),
            ("admin: {}\nstate_dir: s", Admin("/etc/s/admin.sock")),
            ("admin: {socket: s/x.sock}\nstate_dir: s", Admin("/etc/s/x.sock")),
            ("admin: off", None),
            ("admin: ${ADMIN}", None),
        ):
            self.assertEqual(
                understood(f"{text}\n{ROUTE}", environ={"STATE_DIRECTORY": "/state", "ADMIN": "off"}).admin,
                admin,
            )
        for other in ("on", "true", "5", "[]", "{path: /x}"):
            self.assertEqual(len(complaints(f"admin: {other}\n{ROUTE}")), 1, other)
        self.assertEqual(
            complaints(f"admin: true\n{ROUTE}"), ["1:8: admin: has to be off, or {socket: }, not true"]
        )

    def test_metrics(self) -> None:
        """
        Metrics are told where it is said, on this machine only unless it says
        otherwise, and not where a route is.
        """
        self.assertIs(understood(ROUTE).metrics, None)
        for text, address in (
            ("9100", Address("127.0.0.1", 9100)),
            ("'9100'", Address("127.0.0.1", 9100)),
            ("'${PORT}'", Address("127.0.0.1", 9100)),
            ("0.0.0.0:9100", Address("0.0.0.0", 9100)),
            ("'[::1]:9100'", Address("::1", 9100)),
            ("'[::]:9100'", Address("::", 9100)),
        ):
            found = understood(f"metrics: {{listen: {text}}}\n{ROUTE}", environ={"PORT": "9100"})
            self.assertEqual(found.metrics, Metrics(address), text)
        for text, told in (
            ("{listen: 8}", "1:19: metrics.listen: port 8 is that of route :8: choose another one"),
            ("{listen: 0}", "1:19: metrics.listen: has to be at least 1, not 0"),
            ("{listen: '::1'}", "1:19: metrics.listen: '::1' has no port from 1 to 65535 at its end"),
            ("{listen: a.b:9100}", "1:19: metrics.listen: 'a.b:9100' does not begin with an IP address"),
            ("{listen: []}", "1:11: metrics.listen: has to be an IP address with a port, or a port"),
            ("{}", "1:1: metrics: needs listen"),
        ):
            (complaint,) = complaints(f"metrics: {text}\n{ROUTE}")
            self.assertTrue(complaint.startswith(told), complaint)

    def test_adminPort(self) -> None:
        """
        A port for the admin API needs a token that cannot be guessed, is of this machine
        unless it is said that others are meant, and is no route's; the token is in no
        complaint, and not in what a configuration looks like.
        """
        there = "listen: '127.0.0.1:2019'"
        for written, told in (
            (there, "needs listen, and the token that has to be shown there"),
            (f"token: {TOKEN}", "needs listen, and the token"),
            (f"{there}, token: {TOKEN}, token_file: k.pem", "either token_file or token"),
            (f"{there}, token: {TOKEN[1:]}", "at least 32 characters"),
            (f"{there}, token: '{TOKEN} x'", "letters, digits"),
            (f"listen: '10.0.0.1:2019', token: {TOKEN}", "say allow_remote: true if that is meant"),
            (f"listen: '[::]:2019', token: {TOKEN}", "other machines reach it"),
            ("allow_remote: true", "means nothing without listen"),
            (f"listen: 'localhost:2019', token: {TOKEN}", "does not begin with an IP address"),
            (f"listen: '::1:2019', token: {TOKEN}", "has no port from 1 to 65535"),
            (f"listen: '127.0.0.1:0', token: {TOKEN}", "has no port from 1 to 65535"),
            (f"listen: '127.0.0.1:8', token: {TOKEN}", "has port 8, which route ':8' listens on"),
            (f"{there}, token_file: none", "does not exist"),
        ):
            (complaint,) = complaints(f"admin: {{{written}}}\n{ROUTE}")
            self.assertIn(told, complaint, written)
            self.assertTrue(complaint.startswith("1:"), complaint)
            self.assertNotIn(TOKEN[1:], complaint)
        found = understood(f"bind: 10.0.0.2\nadmin: {{listen: '127.0.0.1:8', token: {TOKEN}}}\n{ROUTE}")
        self.assertEqual(found.admin.listen, Address("127.0.0.1", 8))
        self.assertNotIn(TOKEN, repr(found))

    def test_workers(self) -> None:
        """
        Workers are counted, or as many as there are CPUs; anything else is a
        mistake that is told where it stands.
        """
        self.assertEqual(understood("workers: 1\n" + ROUTE).workers, 1)
        self.assertEqual(understood("workers: 256\n" + ROUTE).workers, 256)
        self.assertEqual(understood("workers: auto\n" + ROUTE).workers, "auto")
        self.assertEqual(understood(ROUTE).workers, 1)
        self.assertEqual(understood("workers: ${COUNT}\n" + ROUTE, environ={"COUNT": "3"}).workers, 3)
        for other, told in {
            "0": "has to be at least 1, not 0",
            "257": "has to be at most 256, not 257",
            "true": "has to be a number, or auto, not true",
            "1.5": "has to be a number, or auto, not 1.5",
            "many": "has to be auto or a whole number, not 'many'",
        }.items():
            self.assertEqual(complaints(f"workers: {other}\n" + ROUTE), [f"1:10: workers: {told}"])

    def test_preflight(self) -> None:
        """
        It is advisory unless something else is said; what it cannot be is told where
        it stands.
        """
        self.assertEqual(understood(ROUTE).acme.preflight, Preflight())
        self.assertEqual(understood("acme: {preflight: {}}\n" + ROUTE).acme.preflight, Preflight("advisory"))
        for other, told in {
            "true": "1:19: acme.preflight: has to be advisory, strict or off, or a mapping, not true",
            "hard": "1:19: acme.preflight: has to be advisory, strict or off, not 'hard'",
            "{mode: hard}": "1:26: acme.preflight.mode: has to be advisory, strict or off, not 'hard'",
            "{resolvers: ns.test}": "1:31: acme.preflight.resolvers: 'ns.test' is no IP address: names cannot"
            " be looked up here",
            "{http_port: 0}": "1:31: acme.preflight.http_port: has to be at least 1, not 0",
        }.items():
            self.assertEqual(complaints(f"acme: {{preflight: {other}}}\n" + ROUTE), [told])


def camelCased(text: str) -> str:
    """
    The same text with the camelCase form of each option.
    """
    import re

    return re.sub(r"\b[a-z]+(?:_[a-z]+)+(?=:)", _joined, text)


def _joined(found: Any) -> str:
    first, *others = found[0].split("_")
    return first + "".join(map(str.title, others))


class SchemaTests(SynchronousTestCase):
    """
    The schema as JSON Schema.
    """

    def test_described(self) -> None:
        """
        Every option and every mapping says what it is for, in one line.
        """
        whole = schema.jsonSchema()
        for name, option in [*optionsOf(whole), *whole["$defs"].items(), ("File", whole)]:
            self.assertTrue(option.get("description", "").endswith("."), name)
            self.assertNotIn("\n", option["description"])

    def test_strict(self) -> None:
        """
        No mapping allows anything else, and nothing is null.
        """
        whole = schema.jsonSchema()
        for name, definition in [*whole["$defs"].items(), ("File", whole)]:
            self.assertIs(definition["additionalProperties"], False, name)
        text = json.dumps(whole)
        self.assertNotIn('"null"', text)
        self.assertNotIn("anyOf", text)

    def test_words(self) -> None:
        """
        It is JSON Schema 2020-12, and all its names are snake_case.
        """
        whole = schema.jsonSchema()
        self.assertEqual(whole["$schema"], "https://json-schema.org/draft/2020-12/schema")
        for name, _ in optionsOf(whole):
            self.assertRegex(name.partition(".")[2], r"\A[a-z]+2?(_[a-z]+)*\Z")

    def test_bounds(self) -> None:
        """
        Bounds reach the schema.
        """
        found = dict(optionsOf(schema.jsonSchema()))
        self.assertEqual((found["Acme.http_port"]["minimum"], found["Acme.http_port"]["maximum"]), (1, 65535))
        self.assertEqual(found["Timeouts.head"]["exclusiveMinimum"], 0)
        self.assertEqual(found["Redirect.status"]["enum"], [301, 302, 303, 307, 308])
        self.assertEqual(found["Match.ports"]["oneOf"][0]["maximum"], 65535)

    def test_defaults(self) -> None:
        """
        What is left out is what the model says.
        """
        config = understood(ROUTE)
        plain = Config(config.routes, "/state", admin=Admin("/state/admin.sock"))
        for each in fields(model.Config):
            self.assertEqual(getattr(config, each.name), getattr(plain, each.name), each.name)
        found = dict(optionsOf(schema.jsonSchema()))
        for mapping in (Timeouts(), Limits()):
            for each in fields(mapping):
                name = "".join(f"_{c.lower()}" if c.isupper() else c for c in each.name)
                option = found[f"{type(mapping).__name__}.{name}"]
                self.assertEqual(option["default"], getattr(mapping, each.name))
        self.assertEqual(found["Redirect.status"]["default"], Redirect("").status)
        self.assertEqual(found["Respond.status"]["default"], Respond().status)
        self.assertNotIn("default", found["Acme.email"])
        hook = CertificateHook(())
        self.assertEqual(found["CertificateHook.timeout"]["default"], hook.timeout)
        self.assertEqual(found["CertificateHook.events"]["default"], list(hook.events))

    def test_notYet(self) -> None:
        """
        What later releases will bring is an unknown option, never ignored.
        """
        for text, option in (
            ("http2: {}\n" + ROUTE, "http2"),
            ("security: {}\n" + ROUTE, "security"),
            ("geoip: {}\n" + ROUTE, "geoip"),
            (action("type: forward, targets: 1, websocket: {}"), "websocket"),
            (tls("mode: terminate, versions: x"), "versions"),
        ):
            (line,) = complaints(text)
            self.assertIn(f"{option}: is not an option here", line)
        told = "forward, redirect, respond, files, socket or block was expected"
        self.assertIn(told, complaints(action("type: nftables"))[0])


class FilesTests(SynchronousTestCase):
    """
    Names that both the file language and the model have.
    """

    def test_certificateFiles(self) -> None:
        """
        C{Files} of the model is what C{KeyPair} of the language becomes.
        """
        directory = self.mktemp()
        os.makedirs(directory)
        path = os.path.abspath(os.path.join(directory, "both.pem"))
        with open(path, "w", encoding="ascii"):
            pass
        text = tls("mode: terminate, certificate: {cert: both.pem, key: both.pem}")
        found = loads(text, "yaml", directory, environ=ENVIRONMENT).routes[0].tls
        self.assertEqual(found, TLS("terminate", Files(path, path)))
