"""faceae serve."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceae.errors import FaceaeError

from ._command import device_option, option, section, verb
from ._watching import find_watch

if TYPE_CHECKING:
    from faceae.device import DeviceName

_KEY_VARIABLE = "FACEAE_API_KEY"
_MIB = 2**20


@verb()
@click.argument("model", type=click.Path(path_type=Path))
@option("--host", default="127.0.0.1", help="Address to listen on. 0.0.0.0: all addresses.")
@option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=8080,
    help="Port to listen on. 0: a free one.",
)
@option(
    "--page",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    show_default="the page without models for the browser",
    help="Folder written by `faceae export web`, to serve at /. The page can then also compute "
    "in the browser.",
)
@option(
    "--cors-origin",
    "cors_origins",
    multiple=True,
    metavar="ORIGIN",
    help="Allow pages of this origin to call the server, such as https://example.org. May be "
    "given several times.",
)
@section(
    "Limits",
    option(
        "--max-batch",
        type=click.IntRange(min=1),
        metavar="N",
        default=64,
        help="Faces that the model computes at once, from all requests.",
    ),
    option(
        "--max-delay-ms",
        type=click.FloatRange(0, 1000),
        metavar="MS",
        default=2.0,
        help="Time that a face waits for those of requests that are being read.",
    ),
    option(
        "--max-requests",
        type=click.IntRange(min=1),
        metavar="N",
        default=256,
        help="Requests in progress. Further ones get status 429.",
    ),
    option(
        "--max-body-mib",
        type=click.FloatRange(min=0, min_open=True),
        metavar="N",
        default=6.0,
        help="Size of a request's body.",
    ),
    option(
        "--timeout-s",
        type=click.FloatRange(min=0, min_open=True),
        metavar="N",
        default=60.0,
        help="Time in which a reply must start.",
    ),
)
@section(
    "Watching",
    option(
        "--log-latents",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="Write the latents of incoming images to FOLDER, for `faceae drift`. Faces can be "
        "drawn from them.",
    ),
    option(
        "--collect",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="Keep incoming images as datasets in FOLDER: those of requests whose header "
        "X-Faceae-Consent is yes.",
    ),
    option(
        "--trace",
        is_flag=True,
        help="Send OpenTelemetry traces by OTLP over HTTP, as the OTEL_* variables say. Needs "
        "faceae[trace].",
    ),
)
@device_option
@option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    show_default="one per core",
    help="CPU threads for inference.",
)
def command(
    model: Path,
    host: str,
    port: int,
    max_body_mib: float,
    device: "DeviceName",
    threads: int | None,
    **limits: Any,
) -> None:
    """Serve MODEL, a run or a file written by `faceae export`, over HTTP.

    Needs faceae[serve]. If the variable FACEAE_API_KEY is set, requests must carry its value.
    SIGTERM and Ctrl-C stop the server after the requests in progress. The access log goes to
    stdout, one JSON object per line.
    """
    check_installed()
    from faceae.device import resolve_device, use_threads
    from faceae.serving import (
        ServeConfig,
        create_app,
        open_served_model,
        open_socket,
        run_server,
        set_up_logs,
        set_up_traces,
    )

    config = ServeConfig(
        max_body_bytes=max(1, round(max_body_mib * _MIB)),
        api_key=os.environ.get(_KEY_VARIABLE),
        **limits,
    )
    if config.trace:
        set_up_traces()
    use_threads(threads)
    served = open_served_model(model, resolve_device(device))
    listener = open_socket(host, port)
    set_up_logs()
    address, bound_port = listener.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    click.echo(
        f"{model}: {', '.join(served.tasks)} by {served.engine} at http://{shown}:{bound_port}",
        err=True,
    )
    if "encoder" in served.sessions:
        from ._photographs import say_framing

        say_framing(served.info.frame(), to_stderr=True)
    find_watch().stop_heartbeat()
    run_server(create_app(served, config), listener)


def check_installed() -> None:
    """Check that the extra `serve` is installed.

    Raises:
        FaceaeError: it is not.
    """
    try:
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise FaceaeError(f"{error.name} is not installed; pip install 'faceae[serve]'") from error
