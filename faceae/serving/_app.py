"""The ASGI app: routes and lifespan."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from faceae import __version__

from . import _v2
from ._collecting import CONSENT_HEADER
from ._config import ServeConfig
from ._engine import Engine
from ._inference import Inference
from ._inputs import Inputs
from ._metrics import Metrics
from ._middleware import HEALTH_PATHS, KeyRequired, Observed, record_of
from ._model import ServedModel
from ._openapi import describe_api
from ._page import list_open_paths, list_page_routes
from ._problem import Problem
from ._tracing import Tracing


def create_app(
    model: ServedModel, config: ServeConfig | None = None, *, warm_up_first: bool = False
) -> Starlette:
    """Return the server of a model as an ASGI app.

    Its lifespan starts the queues and runs the model once in the background; until then it answers
    with status 503. With `warm_up_first` the lifespan starts only when the model has run.

    Raises:
        FaceaeError: the page's models are not those of `model`.
    """
    config = config or ServeConfig()
    engine = Engine(
        model,
        config,
        lambda part, times: metrics.observe_batch(part, times),
        lambda latents: inputs.observe_latents(latents),
    )
    metrics = Metrics(model, engine.count_waiting, Tracing(config.trace))
    inputs = Inputs(model, config, metrics)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await engine.start()
        if warm_up_first:
            await engine.warm_up()
        else:
            engine.start_warm_up()
        yield
        await engine.stop()
        await asyncio.to_thread(inputs.close)

    inference = Inference(engine, config, metrics, inputs)
    handlers: dict[Any, Any] = {Problem: _answer_error, HTTPException: _answer_error}
    return Starlette(
        routes=_Routes(model, config, engine, metrics, inputs).list(inference),
        middleware=[
            *_list_middleware(model, config, metrics),
            Middleware(_Shortcut, inference=inference),
        ],
        exception_handlers=handlers,
        lifespan=lifespan,
    )


class _Routes:
    """The endpoints beside inference."""

    def __init__(
        self,
        model: ServedModel,
        config: ServeConfig,
        engine: Engine,
        metrics: Metrics,
        inputs: Inputs,
    ) -> None:
        self._model = model
        self._config = config
        self._engine = engine
        self._metrics = metrics
        self._inputs = inputs
        self._document = describe_api(model, config)

    def list(self, inference: Inference) -> list[BaseRoute]:
        """Return all routes."""
        invoke, infer = _Endpoint(inference.invoke), _Endpoint(inference.infer)
        routes: list[BaseRoute] = [
            Route("/ping", self._ready),
            Route("/health/live", _live),
            Route("/health/ready", self._ready),
            Route("/invocations", invoke, methods=["POST"]),
            Route("/endpoints/{name}/invocations", invoke, methods=["POST"]),
            Route("/metrics", self._show_metrics),
            Route("/openapi.json", self._show_document),
            Route("/v2", self._show_server),
            Route("/v2/health/live", _live),
            Route("/v2/health/ready", self._ready),
            Route("/v2/models/{model}", self._show_model),
            Route("/v2/models/{model}/ready", self._model_ready),
            Route("/v2/models/{model}/infer", infer, methods=["POST"]),
        ]
        return [*routes, *list_page_routes(self._model, self._config.page)]

    def _check_ready(self) -> None:
        if self._engine.problem is not None:
            raise Problem(503, self._engine.problem, headers={"Retry-After": "1"})

    async def _ready(self, request: Request) -> Response:
        self._check_ready()
        return JSONResponse({"status": "ready", "ready": True})

    async def _show_metrics(self, request: Request) -> Response:
        self._metrics.ready.set(self._engine.problem is None)
        self._inputs.measure_drift()
        content = self._metrics.render()
        return Response(content, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _show_document(self, request: Request) -> Response:
        return JSONResponse(self._document)

    async def _show_server(self, request: Request) -> Response:
        return JSONResponse(_v2.describe_server(__version__))

    async def _show_model(self, request: Request) -> Response:
        return JSONResponse(_v2.describe_model(self._model, request.path_params["model"]))

    async def _model_ready(self, request: Request) -> Response:
        _v2.find_task(self._model, request.path_params["model"])
        return await self._ready(request)


class _Shortcut:
    """Serves the path that most requests have, without the cost of the router."""

    def __init__(self, app: ASGIApp, inference: Inference) -> None:
        self._app = app
        self._inference = inference

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", "/invocations"):
            await self._app(scope, receive, send)
            return
        try:
            await self._inference.invoke(scope, receive, send)
        except (Problem, HTTPException) as error:
            record = record_of(scope)
            if record.status is not None:  # the reply has begun, and has its status
                raise
            await _to_problem(error).respond(record.request_id)(scope, receive, send)


class _Endpoint:
    """A route's target that writes its reply itself."""

    def __init__(self, serve: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(scope, receive, send)


def _list_middleware(model: ServedModel, config: ServeConfig, metrics: Metrics) -> list[Middleware]:
    middleware = [Middleware(Observed, metrics=metrics)]
    if config.cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(config.cors_origins),
                allow_methods=["GET", "POST"],
                allow_headers=[
                    "Authorization",
                    "Content-Type",
                    "X-API-Key",
                    "X-Request-Id",
                    CONSENT_HEADER,
                ],
                expose_headers=["X-Request-Id", "Retry-After"],
            )
        )
    if config.api_key is not None:
        open_paths = HEALTH_PATHS | list_open_paths(model, config.page)
        middleware.append(
            Middleware(KeyRequired, key=config.api_key, open_paths=open_paths, metrics=metrics)
        )
    return middleware


async def _live(request: Request) -> Response:
    return JSONResponse({"status": "live", "live": True})


async def _answer_error(request: Request, error: Problem | HTTPException) -> Response:
    return _to_problem(error).respond(record_of(request.scope).request_id)


def _to_problem(error: Problem | HTTPException) -> Problem:
    if isinstance(error, Problem):
        return error
    return Problem(error.status_code, error.detail, headers=error.headers)
