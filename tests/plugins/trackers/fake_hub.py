"""A hub of this machine: the few addresses that the client's upload needs, and what was sent."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub:
    """What a fake hub has and was sent.

    Attributes:
        repositories: Those that are there.
        files: What was committed, by path.
        tokens: Authorization headers of requests.
    """

    def __init__(self) -> None:
        self.repositories: set[str] = set()
        self.files: dict[str, bytes] = {}
        self.tokens: set[str] = set()
        self.created: list[dict[str, Any]] = []


@contextmanager
def running() -> Iterator[tuple[Hub, str]]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else self._chunks()
            hub.tokens.add(self.headers.get("Authorization", ""))
            if self.path.endswith("/api/repos/create"):
                hub.created.append(json.loads(body))
                name = f"{hub.created[-1]['organization']}/{hub.created[-1]['name']}"
                hub.repositories.add(name)
                self._reply(200, {"url": f"{address}/datasets/{name}", "id": name})
                return
            name = "/".join(self.path.split("/")[3:5])
            if name not in hub.repositories:
                self._reply(404, {"error": "Repository not found, hf_SECRETSECRET"},
                            {"X-Error-Code": "RepoNotFound"})  # fmt: skip
            elif "/preupload/" in self.path:
                files = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                         for file in json.loads(body)["files"]]  # fmt: skip
                self._reply(200, {"files": files})
            else:
                entries = [json.loads(line) for line in body.splitlines()]
                sent = [entry["value"] for entry in entries if entry["key"] == "file"]
                hub.files |= {file["path"]: base64.b64decode(file["content"]) for file in sent}
                self._reply(200, {"success": True, "commitOid": "0" * 40,
                                  "commitUrl": f"{address}/datasets/{name}/commit/0"})  # fmt: skip

        def do_GET(self) -> None:
            self._reply(200, {"id": "x", "siblings": []})

        def _chunks(self) -> bytes:
            content = b""
            while size := int(self.rfile.readline().strip() or b"0", 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            return content

        def _reply(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub, address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
