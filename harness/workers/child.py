"""A process of the executor ``processes``: reads requests from its socket, writes events to it.

``python -m harness.workers.child SOCKET NAME``; nobody types this.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from queue import Queue
from threading import Event as Flag
from threading import Lock, Thread

from harness.workers.contract import BlockRequest, WorkOrder
from harness.workers.messages import line_of

_BEAT = 1.0  # seconds between signs of life
_LINGERS = 3.0  # seconds that a worker has to free its model once nobody asks


def main(number: int, name: str) -> None:
    """Be the worker called ``name`` on an inherited socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the coordinator's to handle
    connection = socket.socket(fileno=number)
    lock, messages = Lock(), Queue[dict[str, object] | None]()

    def write(data: bytes) -> None:
        try:
            with lock:
                connection.sendall(data)
        except OSError:  # the coordinator is gone
            os._exit(1)

    def beat() -> None:
        while not ended.wait(_BEAT):
            write(b"{}\n")

    ended = Flag()
    Thread(target=_read, args=(connection, messages), daemon=True).start()
    Thread(target=beat, daemon=True).start()
    first = messages.get()
    if first is None:
        return
    from harness.workers.worker import serve

    order = WorkOrder.from_json(first["order"])  # type: ignore[arg-type]
    serve(name, _divided(order), _requests(messages), lambda event: write(line_of(event)))
    ended.set()


def _divided(order: WorkOrder) -> WorkOrder:
    """Return the order with the machine's cores divided, unless threads were asked for."""
    from dataclasses import replace

    from harness.models.threads import cores

    if order.options.get("threads", "auto") != "auto" or order.options.get("deterministic"):
        return order
    threads = max(1, cores() // order.shares_machine)
    return replace(order, options={**order.options, "threads": threads})


def _requests(messages: Queue[dict[str, object] | None]) -> Iterator[BlockRequest]:
    while (message := messages.get()) is not None:
        yield BlockRequest.from_json(message["request"])  # type: ignore[arg-type]


def _read(connection: socket.socket, messages: Queue[dict[str, object] | None]) -> None:
    """Put messages into a queue; when the coordinator is gone or done, end soon."""
    with connection.makefile("rb") as lines:
        try:
            for line in lines:
                messages.put(json.loads(line))
        except (OSError, ValueError):
            os._exit(1)
    messages.put(None)
    Flag().wait(_LINGERS)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
