"""OpenTelemetry traces: spans of a request, sent by OTLP to a collector."""

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


class Collector(ThreadingHTTPServer):
    """Receives spans."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Any] = []
        self.services: set[str] = set()


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            self.server.services.add(named["service.name"])
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_spans_of_a_request(serve: Any, collector: Collector) -> None:
    address = f"http://127.0.0.1:{collector.server_address[1]}"
    server = serve("--trace", OTEL_EXPORTER_OTLP_ENDPOINT=address)
    assert server.ask("/invocations", {"count": 2}, traceparent=PARENT)[0].status == 200
    assert server.stop() == 0  # sends what has not been sent
    assert collector.services == {"faceae"}
    spans = [span for span in collector.spans if span.trace_id.hex() == TRACE_ID]
    (root,) = [span for span in spans if span.parent_span_id.hex() == "b7ad6b7169203331"]
    assert root.name == "generate"
    stages = [span.name for span in spans if span.parent_span_id == root.span_id]
    assert stages == ["read", "parse", "model", "reply"]
    attributes = {each.key: each.value for each in root.attributes}
    assert attributes["http.response.status_code"].int_value == 200
