"""
Tests for L{smartproxy_tw.config.revisionsection}: what can be written, and what cannot.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import revisionreader
from smartproxy_tw.config.model import Config, Respond
from smartproxy_tw.config.revision import (
    CODINGS,
    TYPES,
    Compress,
    ErrorPage,
    FieldChanges,
    Headers,
    Replacement,
    Representation,
    Rewrite,
)

from .reading import ENVIRONMENT, only, understood

HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"


def revised(
    text: str, match: str = "ports: 8, path: '/u/:id/*'", deed: str = "type: forward, targets: 1"
) -> str:
    """
    A configuration with one route.
    """
    return f"routes: [{{match: {{{match}}}, action: {{{deed}}}, {text}}}]"


def answered(text: str) -> str:
    """
    One that forwards nothing.
    """
    return revised(text, deed="type: block")


def page(text: str) -> str:
    """
    One with an error page.
    """
    return answered(f"error_pages: {{404: {text}}}")


def pages(config: Config) -> tuple[Any, ...]:
    """
    The error pages of a route, files by their names.
    """
    return tuple(
        (
            each.status,
            *((form.type, form.body, os.path.basename(form.file or "")) for form in each.forms),
            each.isForAll,
        )
        for each in config.routes[0].errorPages
    )


#: For L{tests.config.test_schema}: for each option a configuration, where to look, and what is there then.
OPTIONS: dict[str, tuple[str, Any, Any]] = {
    "Route.headers": (
        revised("headers: {response: {set: {A: b}}}"),
        lambda c: (c.routes[0].headers, c.routes[0].protocol),
        (Headers(response=FieldChanges((("A", "b"),))), "http"),
    ),
    "Headers.request": (
        revised("headers: {request: {set: {A: '{path}'}}}"),
        lambda c: c.routes[0].headers,
        Headers(FieldChanges((("A", "{path}"),))),
    ),
    "Headers.response": (
        answered("headers: {response: {set: {A: b}}}"),
        lambda c: c.routes[0].headers,
        Headers(response=FieldChanges((("A", "b"),))),
    ),
    **{
        f"{kind}.{option}": (
            revised(f"headers: {{{way}: {{{text}}}}}"),
            lambda c, way=way: getattr(c.routes[0].headers, way),
            changes,
        )
        for kind, way in (("RequestChanges", "request"), ("ResponseChanges", "response"))
        for option, text, changes in (
            (
                "set",
                "set: {A: 1, B: [x, '{param:id}']}",
                FieldChanges((("A", "1"), ("B", "x"), ("B", "{param:id}"))),
            ),
            ("add", "add: {A: ' b '}", FieldChanges(add=(("A", "b"),))),
            ("remove", "remove: [X-A, Y-*]", FieldChanges(remove=("x-a", "y-*"))),
        )
    },
    "Route.rewrite": (
        revised("rewrite: {add_prefix: /x}"),
        lambda c: (c.routes[0].rewrite, c.routes[0].protocol),
        (Rewrite(addPrefix="/x"), "http"),
    ),
    "Rewrite.strip_prefix": (
        revised("rewrite: {strip_prefix: /a/b/}"),
        lambda c: c.routes[0].rewrite,
        Rewrite("/a/b"),
    ),
    "Rewrite.replace_path": (
        revised("rewrite: {replace_path: '/f/{param:id}/{param:*}'}"),
        lambda c: c.routes[0].rewrite,
        Rewrite(replacePath="/f/{param:id}/{param:*}"),
    ),
    "Rewrite.regex": (
        revised("rewrite: {regex: [{match: ^/a, to: /b}]}"),
        lambda c: c.routes[0].rewrite,
        Rewrite(regex=(Replacement("^/a", "/b"),)),
    ),
    "RegexRule.match": (
        revised("rewrite: {regex: [{match: 'a(.)', to: b}]}"),
        lambda c: c.routes[0].rewrite.regex[0].match,
        "a(.)",
    ),
    "RegexRule.to": (
        revised("rewrite: {regex: [{match: 'a(.)', to: '{1}{0}{port}'}]}"),
        lambda c: c.routes[0].rewrite.regex[0].to,
        "{1}{0}{port}",
    ),
    "Rewrite.add_prefix": (
        revised("rewrite: {add_prefix: /v2/}"),
        lambda c: c.routes[0].rewrite,
        Rewrite(addPrefix="/v2"),
    ),
    "Rewrite.query": (
        revised("rewrite: {query: {remove: a}}"),
        lambda c: c.routes[0].rewrite,
        Rewrite(queryRemove=("a",)),
    ),
    "Query.set": (
        revised("rewrite: {query: {set: {a b: 'x {client_ip}'}}}"),
        lambda c: c.routes[0].rewrite,
        Rewrite(querySet=(("a b", "x {client_ip}"),)),
    ),
    "Query.remove": (
        revised("rewrite: {query: {remove: [utm_*, A]}}"),
        lambda c: c.routes[0].rewrite,
        Rewrite(queryRemove=("utm_*", "A")),
    ),
    "Rewrite.map_location": (
        revised("rewrite: {strip_prefix: /a, map_location: true}"),
        lambda c: c.routes[0].rewrite,
        Rewrite("/a", mapsLocation=True),
    ),
    "Route.compress": (
        answered("compress: true"),
        lambda c: (c.routes[0].compress, c.routes[0].protocol),
        (Compress(), "http"),
    ),
    "Compress.encodings": (
        answered("compress: {encodings: [gzip, br]}"),
        lambda c: c.routes[0].compress,
        Compress(("gzip", "br")),
    ),
    "Compress.types": (
        answered("compress: {types: [Text/HTML, application/*]}"),
        lambda c: c.routes[0].compress,
        Compress(types=("text/html", "application/*")),
    ),
    "Compress.min_bytes": (
        answered("compress: {min_bytes: 0}"),
        lambda c: c.routes[0].compress,
        Compress(minBytes=0),
    ),
    "Compress.level": (answered("compress: {level: 9}"), lambda c: c.routes[0].compress, Compress(level=9)),
    "Route.error_pages": (page("{body: x}"), pages, (("404", (TEXT, "x", ""), False),)),
    "PageForm.body": (
        page("[{body: <b>}, {body: '{{'}]"),
        pages,
        (("404", (HTML, "<b>", ""), ("application/json", "{{", ""), False),),
    ),
    "PageForm.file": (
        page("{file: c.pem, type: text/css}"),
        pages,
        (("404", ("text/css", "", "c.pem"), False),),
    ),
    "PageForm.type": (page("{body: x, type: a/b}"), pages, (("404", ("a/b", "x", ""), False),)),
    "File.error_pages": (
        "error_pages: {5xx: {body: x}}\n"
        + answered("error_pages: {5xx: {body: y}, 500: {body: z}, from: all}"),
        lambda c: (pages(c), c.errorPages),
        (
            (
                ("500", (TEXT, "z", ""), True),
                ("5xx", (TEXT, "y", ""), True),
                ("5xx", (TEXT, "x", ""), False),
            ),
            (ErrorPage("5xx", (Representation(TEXT, "x"),)),),
        ),
    ),
}


class WrongTests(SynchronousTestCase):
    """
    What cannot be is told where it stands.
    """

    def holds(self, cases: dict[str, str], write: Any = revised) -> None:
        """
        Each text has one problem, and what is told of it.
        """
        for text, told in cases.items():
            found = only(write(text))
            self.assertIn(told, found, text)
            self.assertTrue(found.startswith("1:"), found)

    def test_headers(self) -> None:
        """
        Framing, fields for one hop and what the proxy itself says are beyond reach.
        """
        for name in (
            "Content-Length",
            "connection",
            "Transfer-Encoding",
            "Upgrade",
            "TE",
            "Keep-Alive",
            "Trailer",
        ):
            for way in ("request", "response"):
                for deed in (f"set: {{{name}: a}}", f"add: {{{name}: a}}", f"remove: {name}"):
                    self.assertIn("frames the message", only(revised(f"headers: {{{way}: {{{deed}}}}}")))
        for name in ("X-Forwarded-For", "x_forwarded_proto", "Forwarded", "X-Real-IP", "X-Request-ID"):
            self.assertIn(
                "the proxy itself says", only(revised(f"headers: {{request: {{set: {{{name}: a}}}}}}"))
            )
            understood(revised(f"headers: {{response: {{set: {{{name}: a}}}}}}"))
        self.holds(
            {
                "headers: {}": "headers: says nothing",
                "headers: {request: {}}": "headers.request: says nothing",
                "headers: {request: {set: {'a b': c}}}": "'a b' is not the name of a header field",
                "headers: {request: {set: {A: 'b\u00fc'}}}": "cannot be a header value",
                'headers: {request: {set: {A: "b\\nc: d"}}}': "cannot be a header value",
                "headers: {request: {set: {A: '{pth}'}}}": "did you mean {path}?",
                "headers: {request: {set: {A: '{param:other}'}}}": "there is {param:*}, {param:id}",
                "headers: {request: {set: {A: b, a: c}}}": "is given twice",
                "headers: {request: {add: {Host: b}}}": "can be there once only",
                "headers: {request: {set: {Host: [a, b]}}}": "can be there once only",
                "headers: {request: {set: {Host: 'a b'}}}": "'a b' is not a host",
                "headers: {request: {remove: Host}}": "has to be in every request",
                "headers: {request: {remove: '*'}}": "would remove every field",
                "headers: {response: {set: {Date: x}}}": "is set by who gives the answer",
                "headers: {response: {set: {A: true}}}": "has to be text, a whole number or a list of texts",
            }
        )

    def test_rewrite(self) -> None:
        """
        Prefixes, paths, patterns and parameters that cannot be.
        """
        self.holds(
            {
                "rewrite: {}": "says nothing",
                "rewrite: {strip_prefix: a}": "'a' is not a prefix",
                "rewrite: {strip_prefix: /}": "'/' is not a prefix",
                "rewrite: {strip_prefix: '/a b'}": "is not a prefix",
                "rewrite: {strip_prefix: /a/../b}": "can never be",
                "rewrite: {strip_prefix: /a/*}": "is no pattern",
                "rewrite: {strip_prefix: /:id}": "is no pattern",
                "rewrite: {replace_path: a}": "has to begin with /",
                "rewrite: {replace_path: '/a?b'}": "is not a path",
                "rewrite: {replace_path: '/a/{uri}'}": "a path has no query",
                "rewrite: {replace_path: '/{param:x}'}": "uses {param:x}",
                "rewrite: {replace_path: /a/../b}": "has . or .. for a segment",
                "rewrite: {replace_path: /a, add_prefix: /b}": "no other way",
                "rewrite: {add_prefix: /a, map_location: 1}": "true or false",
                "rewrite: {query: {remove: a}, map_location: true}": "means nothing without",
                "rewrite: {query: {}}": "says nothing",
                "rewrite: {query: {set: {a: '{pth}'}}}": "did you mean {path}?",
                "rewrite: {query: {remove: ''}}": "is empty",
                "rewrite: {regex: [{match: '(', to: a}]}": "is not a regular expression",
                "rewrite: {regex: [{match: '(?=a)', to: a}]}": "is not a regular expression that RE2 takes",
                "rewrite: {regex: [{match: 'a(b)', to: '{2}'}]}": "uses {2}, but the pattern has 1 group",
                "rewrite: {regex: [{match: a, to: '{1}'}]}": "uses {1}, but the pattern has no group",
                "rewrite: {regex: [{match: a, to: 'b c'}]}": "is not a path",
                "rewrite: {regex: [{match: a, to: '{foo}'}]}": "uses {foo}, which does not exist",
            }
        )
        for text in ("rewrite: {add_prefix: /a}", "headers: {request: {remove: a}}"):
            self.assertIn("has no effect: this action forwards nothing", only(answered(text)))

    def test_compress(self) -> None:
        """
        Codings, types and bounds.
        """
        self.holds(
            {
                "compress: 1": "has to be true or false, or a mapping",
                "compress: {encodings: [deflate]}": "has to be zstd, br or gzip, not 'deflate'",
                "compress: {encodings: []}": "at least",
                "compress: {encodings: [br, br]}": "lists br twice",
                "compress: {types: [html]}": "is not a media type",
                "compress: {level: 10}": "at most 9",
                "compress: {min_bytes: -1}": "at least 0",
            }
        )
        self.assertIs(understood(answered("compress: false")).routes[0].compress, None)
        self.assertEqual(understood(answered("compress: {}")).routes[0].compress, Compress(CODINGS, TYPES))
        found = understood(answered("compress: '${YES}'"), environ={**ENVIRONMENT, "YES": "true"})
        self.assertEqual(found.routes[0].compress, Compress())

    def test_missingLibraries(self) -> None:
        """
        Without its library a coding is not among the usual ones, and asking for it is a mistake.
        """
        self.patch(revisionreader, "find_spec", lambda name: None if name in ("brotli", "re2") else object())
        self.assertEqual(
            understood(answered("compress: true")).routes[0].compress, Compress(("zstd", "gzip"))
        )
        self.assertIn(
            "pip install 'smartproxy_tw[compress]'", only(answered("compress: {encodings: [gzip, br]}"))
        )
        self.assertIn("smartproxy_tw[regex]", only(revised("rewrite: {regex: [{match: a, to: b}]}")))

    def test_protocol(self) -> None:
        """
        All of it makes a route speak HTTP, and contradicts what does not.
        """
        for text in (
            "headers: {response: {remove: a}}",
            "rewrite: {add_prefix: /a}",
            "compress: true",
            "error_pages: {404: {body: x}}",
        ):
            self.assertEqual(understood(revised(text, "ports: 8")).routes[0].protocol, "http", text)
            word = text.partition(":")[0]
            self.assertIn(f"cannot be tcp: {word} needs HTTP", only(revised(text, "ports: 8, protocol: tcp")))
            deed = "type: forward, targets: 1, tls: {mode: passthrough}"
            self.assertIn(f"{word} needs HTTP", only(revised(text, "ports: 8", deed)))

    def test_answers(self) -> None:
        """
        Answers of one's own, and redirects, ask only for parameters that there are.
        """
        for deed, told in (
            ("type: respond, body: '{param:x}'", "action.body: uses {param:x}"),
            ("type: respond, headers: {A: '{param:x}'}", "uses {param:x}"),
            ("type: redirect, to: '/a/{param:x}'", "action.to: uses {param:x}"),
            ("type: respond, body: '{bdy}'", "uses {bdy}"),
            ("type: respond, headers: {A: '{zzz}'}", "uses {zzz}"),
        ):
            self.assertIn(told, only(revised("priority: 1", deed=deed)))
        found = understood(revised("priority: 1", deed="""type: respond, body: '{"a": "{param:id}"}'"""))
        self.assertEqual(found.routes[0].action, Respond(body='{"a": "{param:id}"}'))
