"""
Who asks: C{wrk} where it is installed, otherwise a generator of our own.

Both keep a number of connections busy for some seconds and say how many requests
were answered with 200.  How fast they are matters little, since what is measured
is the CPU time of the proxy; but a proxy that idles between requests pays more
for each, so figures by one generator do not compare with those by the other.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
import subprocess
import sys
from urllib.parse import urlsplit

_CONNECTIONS = 32
# Of HTTP/2, and how many requests there are on each at a time.
_MULTIPLEXED = 10
_STREAMS = 32


def generator() -> str:
    """The name of what will be used."""
    return "wrk" if shutil.which("wrk") else "the built-in generator"


def load(url: str, seconds: float, isFresh: bool, cpus: set[int], isMultiplexed: bool = False) -> int:
    """
    Ask for a URL again and again.

    @param isFresh: Make a new connection for each request.
    @param cpus: Where to run.
    @param isMultiplexed: Ask by HTTP/2, with C{h2load}.
    @return: The number of good answers.
    @raise RuntimeError: Some answers were not good.
    """
    if isMultiplexed:
        command = ["h2load", "-t1", f"-c{_MULTIPLEXED}", f"-m{_STREAMS}"]
        command += ["-D", f"{max(1, round(seconds))}", url]
    elif generator() == "wrk":
        command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{max(1, round(seconds))}s", url]
        if isFresh:
            command += ["-H", "Connection: close"]
    else:
        command = [sys.executable, __file__, url, str(seconds), str(int(isFresh))]
    places = ",".join(map(str, sorted(cpus)))
    if shutil.which("taskset"):
        command = ["taskset", "-c", places, *command]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if isMultiplexed:
        told = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", said)
        if told is None or told[2] != "0" or told[3] != "0" or "Application protocol: h2" not in said:
            raise RuntimeError(f"not all answers were good: {said}")
        return int(told[1])
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*[1-9].*)", said)
    good = re.search(r"(\d+) requests in ", said)
    # wrk counts a connection that the server closes as asked for as no error.
    if good is None or bad is not None:
        raise RuntimeError(f"not all answers were good: {said}")
    return int(good[1])


async def _client(url: str, context: ssl.SSLContext | None, until: float, isFresh: bool) -> int:
    """One connection at a time."""
    parts = urlsplit(url)
    extra = "Connection: close\r\n" if isFresh else ""
    request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{extra}\r\n".encode()
    loop = asyncio.get_running_loop()
    done = 0
    writer: asyncio.StreamWriter | None = None
    while loop.time() < until:
        if writer is None:
            reader, writer = await asyncio.open_connection(
                parts.hostname,
                parts.port,
                ssl=context,
                limit=1 << 21,
                server_hostname="bench.test" if context else None,
            )
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if length is None or not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"a bad answer: {head!r}")
        await reader.readexactly(int(length[1]))
        done += 1
        if isFresh:
            writer.transport.abort()
            writer = None
    if writer is not None:
        writer.transport.abort()
    return done


async def _clients(url: str, seconds: float, isFresh: bool) -> int:
    """All of them."""
    context = None
    if url.startswith("https:"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    until = asyncio.get_running_loop().time() + seconds
    clients = [_client(url, context, until, isFresh) for _ in range(_CONNECTIONS)]
    return sum(await asyncio.gather(*clients))


if __name__ == "__main__":
    print(asyncio.run(_clients(sys.argv[1], float(sys.argv[2]), sys.argv[3] == "1")), "requests in all")
