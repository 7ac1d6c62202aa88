"""A small endpoint in a thread: it answers as a test scripts it, and keeps what it was sent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass
class Reply:
    """What is sent back: text or an object, or a fault."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    slow: float = 0


def chat(text: str, finish: str = "stop", **more: Any) -> Reply:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish, **more}
    return Reply({"choices": [choice], "usage": {"total_tokens": 10}})


class FakeEndpoint:
    """Answers a ``POST`` with ``reply(body)``, or with what ``routes`` has for its path."""

    def __init__(self, reply: Callable[[Body], Reply]) -> None:
        self.reply = reply
        self.bodies: list[Body] = []
        self.keys: list[str | None] = []
        self.models = Reply({"data": []})
        self.documents: dict[str, Reply] = {}
        self.routes: dict[str, Callable[[Body], Reply]] = {}
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.keys.append(self.headers["Authorization"])
                self.send(fake.documents.get(self.path, fake.models))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.bodies.append(body)
                fake.keys.append(self.headers["Authorization"])
                self.send(fake.routes.get(self.path, fake.reply)(body))

            def send(self, reply: Reply) -> None:
                time.sleep(reply.slow)
                message = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
                data = message.encode()
                try:
                    self.send_response(reply.status)
                    self.send_header("Content-Length", str(len(data) + 100 * reply.cut))
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass  # the client gave up, as it should

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
