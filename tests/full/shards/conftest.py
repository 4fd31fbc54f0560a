"""A web server of files that counts and spoils what it answers."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest


class WebServer(ThreadingHTTPServer):
    """Serves `files` by their paths."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.serves_parts = True
        self.failures: list[int] = []
        """Status codes to answer the next requests with."""
        self.num_bytes_sent = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WebServer

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *args: object) -> None:
        """Keep silent."""

    def _answer(self, *, with_body: bool) -> None:
        data = self.server.files.get(unquote(urlsplit(self.path).path))
        if self.server.failures:
            return self._send(self.server.failures.pop(), b"", with_body)
        if data is None:
            return self._send(404, b"", with_body)
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if part is None or not self.server.serves_parts:
            return self._send(200, data, with_body)
        return self._send(206, data[int(part[1]) : int(part[2]) + 1], with_body)

    def _send(self, status: int, data: bytes, with_body: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        is_page = data.startswith(b"<html")
        self.send_header("Content-Type", "text/html" if is_page else "application/octet-stream")
        self.end_headers()
        if with_body:
            self.server.num_bytes_sent += len(data)
            self.wfile.write(data)


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
