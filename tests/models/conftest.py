"""A real HTTP server on the loopback whose files misbehave in named ways, and small ONNX files."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

CONTENT = bytes(range(256)) * 2048  # 512 KiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Served:
    """One path of the server. ``break_after`` breaks the first ``breaks`` transfers off after so many bytes."""

    content: bytes = CONTENT
    ranges: bool = True
    etag: str | None = '"1"'
    statuses: list[int] = field(default_factory=list)  # answered first, one per request
    break_after: int | None = None
    breaks: int = 1
    announce: int | None = None  # a Content-Length other than the truth
    content_type: str = "application/octet-stream"
    location: str | None = None
    hold: threading.Event | None = None  # the answer waits for it
    stall: threading.Event | None = None  # the connection stays open after the body until then
    requests: list[dict[str, str]] = field(default_factory=list)


class Server:
    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        class QuietServer(ThreadingHTTPServer):
            def handle_error(self, *args: object) -> None:  # clients that go away are part of the tests
                pass

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def add(self, path: str, served: Served) -> str:
        self.files[path] = served
        return self.url(path)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        served = self.files.get(request.path.lstrip("/").partition("?")[0])
        if served is None:
            request.send_error(404)
            return
        served.requests.append(dict(request.headers.items()))
        if served.hold is not None:
            served.hold.wait(10)
        if served.statuses:
            request.send_error(served.statuses.pop(0))
            return
        if served.location is not None:
            request.send_response(302)
            request.send_header("Location", served.location)
            request.end_headers()
            return
        content, start = served.content, 0
        wanted = request.headers.get("Range")
        if served.ranges and wanted and request.headers.get("If-Range") in (None, served.etag):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                request.send_error(416)
                return
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            request.send_response(200)
        if served.etag:
            request.send_header("ETag", served.etag)
        request.send_header("Content-Type", served.content_type)
        request.send_header("Content-Length", str(served.announce or len(content) - start))
        request.end_headers()
        body = content[start:]
        if served.break_after is not None and served.breaks > 0:
            served.breaks -= 1
            body = body[: served.break_after]
        request.wfile.write(body)
        if served.stall is not None:
            served.stall.wait(10)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()
