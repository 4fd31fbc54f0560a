"""A web server for a trained model. README.md beside this file describes its endpoints."""

from ._app import create_app
from ._config import ServeConfig
from ._environment import create_app_from_environment
from ._inference import parse_attributes
from ._latent_log import LoggedLatents, read_latent_log
from ._model import ServedModel, open_served_model
from ._predictor import Prediction, Predictor
from ._problem import Problem
from ._server import open_socket, run_server, set_up_logs
from ._tracing import set_up_traces

__all__ = [
    "LoggedLatents",
    "Prediction",
    "Predictor",
    "Problem",
    "ServeConfig",
    "ServedModel",
    "create_app",
    "create_app_from_environment",
    "open_served_model",
    "open_socket",
    "parse_attributes",
    "read_latent_log",
    "run_server",
    "set_up_logs",
    "set_up_traces",
]
