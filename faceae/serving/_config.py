"""Limits and options of the server."""

from dataclasses import dataclass
from pathlib import Path

from faceae.errors import FaceaeError


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Limits and options of the server."""

    max_batch: int = 64
    """Faces per run of the model at most."""
    max_delay_ms: float = 2.0
    """Time that a face waits for faces of other requests. It waits only while another request has
    arrived and is still being read."""
    max_requests: int = 256
    """Requests in progress at most. Further ones are answered with status 429."""
    max_body_bytes: int = 6 * 2**20
    """Size of a request's body at most; SageMaker's own limit."""
    max_pixels: int = 32_000_000
    """Pixels of a photograph at most."""
    timeout_s: float = 60.0
    """Time from the arrival of a request to the start of its reply; SageMaker's own limit."""
    body_timeout_s: float = 20.0
    """Time in which a request's body must arrive."""
    api_key: str | None = None
    """Key that requests must carry. None: no key is needed."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call the server. "*" allows all of them."""
    page: Path | None = None
    """Folder that `faceae export web` wrote, served at /. None: the same page without models
    for the browser, if the model can draw, encode and decode faces."""
    log_latents: Path | None = None
    """Folder to which the latents of incoming images are written. None: they are not."""
    collect: Path | None = None
    """Folder in which incoming images are kept as datasets, if the client consents. None: images
    are never kept."""
    trace: bool = False
    """Make OpenTelemetry spans with the process's tracer provider."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            FaceaeError: a value is out of its range.
        """
        for name in ("max_batch", "max_requests", "max_body_bytes", "max_pixels"):
            if getattr(self, name) < 1:
                raise FaceaeError(f"`{name}` must be at least 1, got {getattr(self, name)}")
        for name in ("timeout_s", "body_timeout_s"):
            if not getattr(self, name) > 0:
                raise FaceaeError(f"`{name}` must be above 0, got {getattr(self, name)}")
        if not 0 <= self.max_delay_ms <= 1000:
            raise FaceaeError(f"`max_delay_ms` must be from 0 to 1000, got {self.max_delay_ms}")
        if self.api_key is not None and not self.api_key.strip():
            raise FaceaeError("the API key is empty; set a key in FACEAE_API_KEY, or unset it")
        if self.page is not None and not (self.page / "index.html").is_file():
            raise FaceaeError(
                f"`page` {self.page}: no index.html in it; `faceae export web` writes a page"
            )
