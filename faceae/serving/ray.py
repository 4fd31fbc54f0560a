"""The server on a Ray cluster: `serve run faceae.serving.ray:app`.

The variables of `create_app_from_environment`, as they are when this module is imported, reach all
replicas. A replica holds the model; the number of replicas is set in a Serve config.
"""

import os
from typing import Any

from ray import serve
from starlette.applications import Starlette

from ._environment import create_app_from_environment


def _build() -> Starlette:
    return create_app_from_environment(warm_up_first=True)


def _variables() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if name.startswith("FACEAE_")}


@serve.ingress(_build)
class _Replica:
    """One replica of the server."""


FaceServer: Any = serve.deployment(
    name="FaceServer",
    ray_actor_options={"runtime_env": {"env_vars": _variables()}},
    graceful_shutdown_timeout_s=25,
)(_Replica)
app: Any = FaceServer.bind()
