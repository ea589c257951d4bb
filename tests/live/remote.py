"""
Both ends of calls by gRPC, without a schema: messages are bytes.  Run as a program, since
the library has threads and descriptors of its own.

C{remote.py serve 4711} serves until it is told to end; C{remote.py call 4711} calls each
kind of method and prints what came of it, one line each; C{remote.py stay 4711} has conversations and
calls that go on until a line is read, and prints how they ended.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError, Event, Lock, Thread
from typing import Any

import grpc

__all__: list[str] = []

#: More than anything takes here, in seconds, on a machine that is busy with other things.
_PATIENCE = 120


class Service(grpc.GenericRpcHandler):
    """
    Methods of each kind.
    """

    def service(self, details: Any) -> Any:
        """
        The one that is asked for.
        """
        kinds = {
            "/t.T/Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "/t.T/Down": grpc.unary_stream_rpc_method_handler(self.down),
            "/t.T/Up": grpc.stream_unary_rpc_method_handler(self.up),
            "/t.T/Both": grpc.stream_stream_rpc_method_handler(self.both),
            "/t.T/Fails": grpc.unary_unary_rpc_method_handler(self.fails),
            "/t.T/Sleeps": grpc.unary_unary_rpc_method_handler(self.sleeps),
        }
        return kinds.get(details.method)

    def unary(self, message: bytes, context: Any) -> bytes:
        """One for one."""
        context.set_trailing_metadata((("x-length", str(len(message))),))
        return message[::-1]

    def down(self, message: bytes, context: Any) -> Iterator[bytes]:
        """Many for one."""
        for index in range(5):
            yield b"%d" % index * 10_000

    def up(self, messages: Iterator[bytes], context: Any) -> bytes:
        """One for many."""
        return b"%d" % sum(map(len, messages))

    def both(self, messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
        """Many for many, each at its time."""
        for message in messages:
            yield b"got " + message

    def fails(self, message: bytes, context: Any) -> bytes:
        """None."""
        context.abort(grpc.StatusCode.NOT_FOUND, "there is none")
        raise AssertionError("abort raises")

    def sleeps(self, message: bytes, context: Any) -> bytes:
        """Too late."""
        time.sleep(3)
        return b""


def serve(port: str) -> None:
    """
    Serve until the process ends.
    """
    server = grpc.server(ThreadPoolExecutor(8), handlers=[Service()])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def call(port: str) -> None:
    """
    Call each method.
    """
    options = [("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        answer, told = channel.unary_unary("/t.T/Unary").with_call(b"abc" * 100_000, timeout=_PATIENCE)
        print("unary", len(answer), dict(told.trailing_metadata() or ()).get("x-length"))
        print("down", [len(each) for each in channel.unary_stream("/t.T/Down")(b"", timeout=_PATIENCE)])
        print("up", channel.stream_unary("/t.T/Up")(iter([b"x" * 50_000] * 10), timeout=_PATIENCE).decode())
        taken: list[str] = []

        def asking() -> Iterator[bytes]:
            for index in range(2000):
                # Each goes only when the one before was answered.
                while len(taken) < index:
                    time.sleep(0)
                yield b"%d" % index

        for each in channel.stream_stream("/t.T/Both")(asking(), timeout=_PATIENCE):
            taken.append(each.decode())
        print("both", len(taken), taken[-1])
        for method, seconds in (("Fails", _PATIENCE), ("Nothing", _PATIENCE), ("Sleeps", 0.5)):
            try:
                channel.unary_unary(f"/t.T/{method}")(b"", timeout=seconds)
            except grpc.RpcError as error:
                known: Any = error
                print(method, known.code().name)


def stay(port: str) -> None:
    """
    Say C{begun} when four conversations go on, each on a connection of its own, and calls beside them;
    and when a line was read, end them and say what came of it.
    """
    over, ready = Event(), Barrier(5)
    wrong: list[str] = []
    counts = {"said": 0, "heard": 0, "called": 0}
    lock = Lock()

    def count(what: str) -> None:
        with lock:
            counts[what] += 1

    def talk(index: int) -> None:
        # Without a pool of their own they would all share one connection.
        options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            unary = channel.unary_unary("/t.T/Unary")

            def asking() -> Iterator[bytes]:
                while not over.is_set():
                    count("said")
                    yield b"%d" % index
                    over.wait(0.01)

            isFirst = True
            try:
                for each in channel.stream_stream("/t.T/Both")(asking(), timeout=_PATIENCE):
                    if each != b"got %d" % index:
                        wrong.append(repr(each))
                    count("heard")
                    if isFirst:
                        isFirst = False
                        ready.wait(_PATIENCE)
                    if unary(b"abc", timeout=_PATIENCE) != b"cba":
                        wrong.append("another answer")
                    count("called")
            except (grpc.RpcError, BrokenBarrierError) as error:
                wrong.append(repr(error))

    threads = [Thread(target=talk, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    ready.wait(_PATIENCE)
    print("begun", flush=True)
    sys.stdin.readline()
    # On a slow machine they have said little by then.
    while not wrong and counts["heard"] < 50:
        time.sleep(0.01)
    over.set()
    for thread in threads:
        thread.join(_PATIENCE)
    print(json.dumps({"wrong": wrong, **counts}))


if __name__ == "__main__":
    {"serve": serve, "call": call, "stay": stay}[sys.argv[1]](sys.argv[2])
