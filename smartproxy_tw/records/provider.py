"""
One change at a provider of DNS, by the library dns-lexicon: a program of its own, since
the library waits for the network in its own way, and only a process can be ended
whatever it waits for.

What is to be done comes as JSON on the standard input, secrets and all, so that nobody
sees them in a list of processes; the status says whether it was done, and the standard
error why not, in one line without a secret.  Nothing else is written, whatever the
library or a provider has to say.

The proxy knows the zone already.  The library would look for it once more, in a list of
public suffixes that it fetches from the network.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

__all__ = ["change", "main", "veiled"]

#: A message is not longer, in characters.
_LONGEST = 400

#: What is shorter is no secret, and would veil what it only happens to be part of.
_SHORTEST = 5


def main() -> int:
    """
    Do what the standard input says.

    @return: The status to exit with.
    """
    wanted = json.load(sys.stdin)
    said = os.dup(2)
    with open(os.devnull, "w", encoding="ascii") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    try:
        change(wanted)
    except (Exception, SystemExit) as why:
        secrets = (each for each in wanted["options"].values() if isinstance(each, str))
        os.write(said, veiled(_told(why), secrets).encode("utf-8", "replace"))
        return 1
    return 0


def change(wanted: dict[str, Any]) -> None:
    """
    Add a TXT record, or remove it.

    @param wanted: C{action}, C{present} or C{cleanup}; C{provider} and its
        C{options}; C{zone}, C{owner} and C{value} of the record; C{ttl}, or L{None}.
    """
    import dns.name
    import dns.resolver
    from lexicon import config
    from lexicon.client import Client

    zone, provider = wanted["zone"], wanted["provider"]
    dns.resolver.zone_for_name = lambda *_, **__: dns.name.from_text(zone)
    # Some providers look for the zone among their own options.
    options = {**_defaults(provider), "domain": zone, **wanted["options"]}
    whole = {"provider_name": provider, "domain": zone, "resolve_zone_name": True, provider: options}
    if wanted["ttl"] is not None:
        whole["ttl"] = wanted["ttl"]
    resolver: Any = config.ConfigResolver
    with Client(resolver().with_dict(whole)) as operations:
        if wanted["action"] == "present":
            operations.create_record("TXT", wanted["owner"], wanted["value"])
        else:
            # Just this one: with its text, others at the same name stay.
            operations.delete_record(None, "TXT", wanted["owner"], wanted["value"])


def veiled(text: str, secrets: Iterable[str]) -> str:
    """
    A message without secrets: some providers have them in their URLs.

    @param text: As the library or a provider has it.
    @param secrets: What may not be in it, in any form that a URL may have it in.
    @return: One line, not too long.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            for form in (
                secret,
                quote(secret),
                quote(secret, safe=""),
                quote_plus(secret),
                repr(secret)[1:-1],
            ):
                text = text.replace(form, "***")
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _defaults(provider: str) -> dict[str, Any]:
    """
    What a provider's options are where they are left out: the library knows that of
    its command line only.
    """
    from argparse import ArgumentParser
    from importlib import import_module

    try:
        module = import_module(f"lexicon._private.providers.{provider}")
        parser = ArgumentParser(add_help=False)
        module.Provider.configure_parser(parser)
        found = vars(parser.parse_args([]))
    except (ImportError, AttributeError):
        # It is laid out otherwise, or will say itself what is missing.
        return {}
    return {name: value for name, value in found.items() if value is not None}


def _told(why: BaseException) -> str:
    kind, text = type(why).__name__, str(why)
    # The name says more than a text such as "'id'".
    return f"{kind}: {text}" if re.search(r"\w", text) else kind


if __name__ == "__main__":
    sys.exit(main())
