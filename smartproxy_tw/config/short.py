"""
A configuration without a file: sites given on the command line.

Imports neither pydantic nor yaml: a start without a file is not to pay for them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from . import checks, names, sites, targets, texts
from .defaults import adminSocket
from .document import Mark
from .errors import ConfigError, Problem
from .model import Acme, Admin, Config, Forward, UpstreamTLS

__all__ = ["fromSites", "splitSite"]

_T = TypeVar("_T")


class _Options:
    """
    Collects what is wrong with options.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def wrong(self, option: str, message: str) -> None:
        """
        @param option: As it is written on the command line.
        @param message: What is wrong with it.
        """
        self.problems.append(Problem("", 0, 0, option, message))

    def read(self, option: str, text: str, reader: Callable[[str], _T], otherwise: _T) -> _T:
        """
        @param reader: Raises L{ValueError} with the end of a sentence.
        @return: What the reader made of the text, or C{otherwise}.
        """
        try:
            return reader(text)
        except ValueError as why:
            self.wrong(option, f"'{text}' {why}")
            return otherwise


def splitSite(text: str) -> tuple[str, str]:
    """
    Take apart the value of C{--site}.

    @param text: For instance C{example.com=127.0.0.1:3000}.
    @return: The name and the target, neither of them checked.
    @raise ConfigError: There is no C{=} between two texts.
    """
    name, sign, target = text.partition("=")
    if not (name.strip() and sign and target.strip()):
        message = f"'{text}' is not NAME=TARGET: example.com=127.0.0.1:3000, for instance, was expected"
        raise ConfigError([Problem("", 0, 0, "--site", message)])
    return name.strip(), target.strip()


def _site(options: _Options, name: str, target: str, www: bool, certificate: str) -> sites.Site | None:
    before = len(options.problems)
    option = f"--site {name}={target}"
    domain = options.read(option, name, names.pattern, "")
    place = options.read(option, target, targets.parse, None)
    if place is None or len(options.problems) > before:
        return None
    why = checks.serverNameProblem((domain,))
    if why is not None:
        options.wrong(option, why)
        return None
    if www and not names.isHost(f"www.{domain}"):
        options.wrong(option, f"there is no www name beside {domain}")
    source: Literal["auto", "internal"] = "internal" if certificate == "internal" else "auto"
    upstream = UpstreamTLS() if place.scheme == "https" else None
    return sites.Site(domain, Forward((place.target,), upstream), www, source)


def _absolute(options: _Options, option: str, path: str, isFile: bool = False) -> str:
    if not path or "\0" in path:
        options.wrong(option, f"'{path}' is not a path")
        return "/"
    path = os.path.abspath(path)
    if isFile and not (os.path.isfile(path) and os.access(path, os.R_OK)):
        options.wrong(option, f"'{path}' does not exist, is no file or cannot be read")
    return path


def _port(options: _Options, option: str, number: int, otherwise: int) -> int:
    if not 0 < number < 65536:
        options.wrong(option, f"'{number}' is not a port: 1 to 65535 was expected")
        return otherwise
    return number


def _acme(
    options: _Options, email: str | None, directory: str | None, caFile: str | None, ports: tuple[int, int]
) -> Acme:
    return Acme(
        email=options.read("--acme-email", email, texts.email, "") if email else None,
        directory=options.read(
            "--acme-directory", directory or "letsencrypt", texts.directory, Acme().directory
        ),
        caFile=_absolute(options, "--acme-ca-file", caFile, isFile=True) if caFile else None,
        httpPort=_port(options, "--http-port", ports[0], 80),
        tlsPort=_port(options, "--https-port", ports[1], 443),
    )


def fromSites(
    siteList: Sequence[tuple[str, str]],
    *,
    stateDir: str,
    email: str | None = None,
    directory: str | None = None,
    caFile: str | None = None,
    httpPort: int = 80,
    tlsPort: int = 443,
    bind: Sequence[str] = (),
    www: bool = False,
    certificate: Literal["auto", "internal"] = "auto",
) -> Config:
    """
    The configuration of a proxy that serves a few names.

    @param siteList: Pairs of a name and a target, as L{splitSite} has them.
    @param stateDir: The directory for accounts and certificates; a relative one
        counts from the working directory.
    @param email: For the ACME account.
    @param directory: One of L{texts.DIRECTORIES} or a URL; Let's Encrypt by
        default.
    @param caFile: PEM bundle to trust for the directory.
    @param httpPort: The port of http-01 and of the redirects to https.
    @param tlsPort: The port of https and of tls-alpn-01.
    @param bind: IP addresses; all by default.
    @param www: Whether C{www.NAME} redirects to each name.
    @param certificate: Where certificates come from.
    @return: The configuration.
    @raise ConfigError: With everything that is wrong, each by its option.
    """
    options = _Options()
    state = _absolute(options, "--state-dir", stateDir)
    acme = _acme(options, email, directory, caFile, (httpPort, tlsPort))
    addresses = tuple(dict.fromkeys(options.read("--bind", text, names.address, "") for text in bind))
    if not siteList:
        options.wrong("--site", "is needed at least once: --site example.com=127.0.0.1:3000, for instance")
    placed: list[checks.Placed] = []
    for name, target in siteList:
        site = _site(options, name, target, www, certificate)
        for route in () if site is None else sites.expand(site, acme):
            placed.append(checks.Placed(route, (f"--site {name}={target}",), Mark("")))
    for each in placed:
        for source in each.route.tls.sources if each.route.tls is not None else ():
            why = checks.certificateProblem(source)
            if why is not None:
                options.wrong(str(each.path[0]), why)
    for path, message in checks.conflicts(placed):
        options.wrong(str(path[0]), message)
    if options.problems:
        raise ConfigError(dict.fromkeys(options.problems))
    return Config(
        tuple(each.route for each in placed),
        state,
        bind=addresses,
        acme=acme,
        admin=Admin(adminSocket(state)),
    )
