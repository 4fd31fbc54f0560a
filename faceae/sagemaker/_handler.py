"""The functions that SageMaker's inference toolkits call, with the replies of `faceae serve`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceae.device import resolve_device

if TYPE_CHECKING:
    from faceae.serving import Prediction, Predictor, Problem

_ATTRIBUTES_HEADER = "x-amzn-sagemaker-custom-attributes"

Body = tuple[bytes, str]
"""A request's body and its content type."""


def model_fn(model_dir: str) -> "Predictor":
    """Open the model of an unpacked model.tar.gz.

    Raises:
        FaceaeError: there is no model in it.
    """
    from faceae.serving import Predictor, open_served_model

    return Predictor(open_served_model(Path(model_dir), resolve_device("auto")))


def input_fn(data: bytes | str, content_type: str) -> Body:
    """Return the body as it came; `predict_fn` reads it, since that needs the model.

    No pickle is ever loaded.
    """
    return data.encode() if isinstance(data, str) else bytes(data), content_type


def predict_fn(body: Body, model: "Predictor", context: Any) -> Any:
    """Do the task of a body.

    Returns:
        The predictor with the result, or with the problem of a request that it refuses.
    """
    from faceae.serving import Problem

    try:
        return model, model.predict(*body, _read_attributes(context))
    except Problem as problem:
        return model, problem


def output_fn(
    prediction: "tuple[Predictor, Prediction | Problem]", accept: str, context: Any
) -> tuple[bytes, str]:
    """Return the reply and its media type; a problem sets the status of the reply."""
    from faceae.serving import Problem

    model, result = prediction
    try:
        if isinstance(result, Problem):
            raise result
        return model.encode(result, accept)
    except Problem as problem:
        reply = problem.respond("")
        context.set_response_status(code=problem.status, phrase=problem.detail[:200])
        return bytes(reply.body), str(reply.media_type)


def _read_attributes(context: Any) -> Mapping[str, str]:
    """Return the task and parameters of a request's header."""
    from faceae.serving import parse_attributes

    try:
        headers = context.request_processor[0].get_request_properties()
    except (AttributeError, IndexError, TypeError):
        return {}
    named = {name.lower(): value for name, value in headers.items()}
    return parse_attributes(named.get(_ATTRIBUTES_HEADER, ""))
