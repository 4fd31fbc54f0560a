"""OpenTelemetry traces: a span per request, with one for each of its stages."""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from faceae import __version__
from faceae.errors import FaceaeError

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_SERVER_ERROR = 500


class Tracing:
    """Makes spans, or nothing if traces are off."""

    def __init__(self, is_on: bool) -> None:
        """Take the tracer of the process's provider.

        Raises:
            FaceaeError: traces are on, and OpenTelemetry is not installed.
        """
        self.is_on = is_on
        self._tracer = _get_tracer() if is_on else None

    def span(self, name: str) -> AbstractContextManager[Any]:
        """Return the span of a stage."""
        if self._tracer is None:
            return nullcontext()
        span: AbstractContextManager[Any] = self._tracer.start_as_current_span(name)
        return span

    @contextmanager
    def request_span(self, method: str, path: str, headers: Mapping[str, str]) -> Iterator[Any]:
        """Open the span of a request, as a child of the client's, if it names one.

        Yields the span, or None if traces are off.
        """
        if self._tracer is None:
            yield None
            return
        from opentelemetry import propagate
        from opentelemetry.trace import SpanKind

        attributes = {"http.request.method": method, "url.path": path}
        with self._tracer.start_as_current_span(
            method,
            context=propagate.extract(headers),
            kind=SpanKind.SERVER,
            attributes=attributes,
        ) as span:
            yield span


def finish_span(span: Any, task: str | None, status: int, request_id: str) -> None:
    """Record a request's result in its span, unless that is None."""
    if span is None:
        return
    from opentelemetry.trace import StatusCode

    span.set_attribute("http.response.status_code", status)
    span.set_attribute("faceae.request_id", request_id)
    if task is not None:
        span.update_name(task)
        span.set_attribute("faceae.task", task)
    if status >= _SERVER_ERROR:
        span.set_status(StatusCode.ERROR)


def set_up_traces() -> None:
    """Send traces by OTLP over HTTP, as the OTEL_* variables say.

    Raises:
        FaceaeError: the packages are not installed.
    """
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise _missing(error) from error
    os.environ.setdefault("OTEL_SERVICE_NAME", "faceae")
    provider = TracerProvider(resource=Resource.create())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def _get_tracer() -> "Tracer":
    try:
        from opentelemetry import trace
    except ImportError as error:
        raise _missing(error) from error
    return trace.get_tracer("faceae.serving", __version__)


def _missing(error: ImportError) -> FaceaeError:
    return FaceaeError(f"`trace`: {error.name} is not installed; pip install 'faceae[trace]'")
