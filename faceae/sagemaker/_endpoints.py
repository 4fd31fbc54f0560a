"""Endpoints on SageMaker: creating, asking and deleting them."""

import base64
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faceae.errors import FaceaeError

from ._aws import (
    check_name,
    check_role,
    explained,
    find_input,
    open_client,
)
from ._jobs import OnStatus, wait_while
from ._options import list_options, parse_texts

_VARIANT = "all"
_BODY_TYPES = {".npy": "application/x-npy", ".json": "application/json"}
_REPLY_TYPES = {
    **_BODY_TYPES,
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".zip": "application/zip",
}
_MAX_BODY_BYTES = 6 * 2**20
_NOT_ON_SAGEMAKER = ("api_key", "collect", "cors_origins", "log_latents", "page", "trace")
"""Options of the server that need another client, folder or service than an endpoint has."""
_NOT_FOUND = "Could not find"


@dataclass(frozen=True, kw_only=True)
class EndpointConfig:
    """Where and as whom an endpoint runs.

    Raises:
        FaceaeError: a value is out of its range.
    """

    image: str
    """Image of `export/container` in the registry of the account."""
    role: str
    """ARN of the role that the endpoint takes on. It must be able to read the model."""
    instance_type: str = "ml.m5.large"
    instances: int = 1
    """Machines."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Limits of the server, fields of `faceae.serving.ServeConfig`, as text."""

    def __post_init__(self) -> None:
        check_role(self.role)
        if self.instances < 1:
            raise FaceaeError(f"`instances` must be at least 1, got {self.instances}")

    @property
    def environment(self) -> dict[str, str]:
        """The options as variables of the container."""
        return {
            f"FACEAE_{name.replace('-', '_').upper()}": text for name, text in self.options.items()
        }


def deploy(model: str, name: str, config: EndpointConfig) -> None:
    """Create an endpoint, its config and its model, all called `name`, from a model.tar.gz.

    If one of them cannot be created, those before it are deleted.

    Raises:
        FaceaeError: there is no such model, the name is in use, or AWS refuses.
    """
    from faceae.serving import ServeConfig

    check_name(name)
    parse_texts(config.options, list_options(ServeConfig, _NOT_ON_SAGEMAKER))
    if not model.endswith(".tar.gz") or find_input(model) != model:
        raise FaceaeError(f"{model}: must be the URL of a model.tar.gz")
    client = open_client("sagemaker")
    if _look(client.describe_endpoint, EndpointName=name) is not None:
        raise FaceaeError(
            f"endpoint {name}: exists; `faceae sagemaker delete {name}` deletes it, or choose "
            "another `name`"
        )
    container = {"Image": config.image, "ModelDataUrl": model, "Environment": config.environment}
    variant = {
        "VariantName": _VARIANT,
        "ModelName": name,
        "InitialInstanceCount": config.instances,
        "InstanceType": config.instance_type,
    }
    with explained(f"endpoint {name}"), ExitStack() as undo:
        client.create_model(
            ModelName=name, PrimaryContainer=container, ExecutionRoleArn=config.role
        )
        undo.callback(client.delete_model, ModelName=name)
        client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        undo.callback(client.delete_endpoint_config, EndpointConfigName=name)
        client.create_endpoint(EndpointName=name, EndpointConfigName=name)
        undo.pop_all()


def wait_for_endpoint(
    name: str, on_status: OnStatus = lambda status: None, poll_s: float = 15.0
) -> None:
    """Wait until an endpoint answers.

    Raises:
        FaceaeError: it failed; says why.
    """
    client = open_client("sagemaker")

    def look() -> tuple[str, Any]:
        with explained(f"endpoint {name}"):
            answer = client.describe_endpoint(EndpointName=name)
        return answer["EndpointStatus"], answer

    status, answer = wait_while(look, ("Creating", "Updating"), on_status, poll_s)
    if status != "InService":
        reason = answer.get("FailureReason", "AWS gives no reason")
        raise FaceaeError(
            f"endpoint {name}: {status}: {reason}; `faceae sagemaker delete {name}` deletes it"
        )


def delete(name: str) -> list[str]:
    """Delete an endpoint with its config and its models, as far as they exist.

    Returns:
        What was deleted.

    Raises:
        FaceaeError: none of them exists, or AWS refuses.
    """
    client = open_client("sagemaker")
    endpoint = _look(client.describe_endpoint, EndpointName=name)
    config_name = endpoint["EndpointConfigName"] if endpoint else name
    config = _look(client.describe_endpoint_config, EndpointConfigName=config_name)
    variants = config["ProductionVariants"] if config else [{"ModelName": name}]
    models = [variant["ModelName"] for variant in variants]
    found = [each for each in models if _look(client.describe_model, ModelName=each) is not None]
    deleted = []
    with explained(f"endpoint {name}"):
        if endpoint is not None:
            client.delete_endpoint(EndpointName=name)
            deleted.append(f"endpoint {name}")
        if config is not None:
            client.delete_endpoint_config(EndpointConfigName=config_name)
            deleted.append(f"endpoint config {config_name}")
        for model in found:
            client.delete_model(ModelName=model)
            deleted.append(f"model {model}")
    if not deleted:
        raise FaceaeError(f"endpoint {name}: does not exist in {client.meta.region_name}")
    return deleted


def invoke(name: str, inputs: Sequence[Path], out: Path, options: Mapping[str, str]) -> str:
    """Ask an endpoint, and write its reply to a file.

    Args:
        inputs: photographs, or one .npy or .json file that is sent as it is, or nothing.
        out: file whose suffix chooses the format: .npy, .json, .png, .jpg, .gif or .zip.
        options: the task and its parameters, such as `task=morph`.

    Returns:
        Media type of the reply.

    Raises:
        FaceaeError: a file cannot be sent, the endpoint refuses the request, or AWS refuses.
    """
    from faceae_shards import atomic_path

    if out.suffix.lower() not in _REPLY_TYPES:
        raise FaceaeError(f"{out}: must end in one of {', '.join(_REPLY_TYPES)}")
    body, content_type = _make_body(inputs)
    attributes = ",".join(f"{key}={value}" for key, value in options.items())
    client = open_client("sagemaker-runtime")
    with explained(f"endpoint {name}"):
        try:
            reply = client.invoke_endpoint(
                EndpointName=name,
                Body=body,
                ContentType=content_type,
                Accept=_REPLY_TYPES[out.suffix.lower()],
                **({"CustomAttributes": attributes} if attributes else {}),
            )
            content = reply["Body"].read()
        except client.exceptions.ModelError as error:
            raise FaceaeError(f"endpoint {name}: {_read_problem(error.response)}") from error
    with atomic_path(out) as part:
        part.write_bytes(content)
    return str(reply["ContentType"])


def _make_body(inputs: Sequence[Path]) -> tuple[bytes, str]:
    if len(inputs) == 1 and inputs[0].suffix.lower() in _BODY_TYPES:
        body, content_type = inputs[0].read_bytes(), _BODY_TYPES[inputs[0].suffix.lower()]
    else:
        images = [base64.b64encode(path.read_bytes()).decode() for path in inputs]
        body, content_type = json.dumps({"images": images} if images else {}).encode(), ""
    if len(body) > _MAX_BODY_BYTES:
        raise FaceaeError(
            f"{inputs[0]}: the request has {len(body):,} bytes, and SageMaker takes "
            f"{_MAX_BODY_BYTES:,}; send fewer or smaller pictures"
        )
    return body, content_type or _BODY_TYPES[".json"]


def _read_problem(response: Any) -> str:
    """Return the detail of a refused request, from the reply of our server."""
    message = response.get("OriginalMessage", "")
    try:
        return str(json.loads(message)["detail"])
    except (KeyError, TypeError, ValueError):
        return f"status {response.get('OriginalStatusCode')}: {message}"


def _look(describe: Any, **name: str) -> Any:
    """Return the description of something, or None if it does not exist."""
    from botocore.exceptions import ClientError

    (named,) = name.values()
    with explained(named):
        try:
            return describe(**name)
        except ClientError as error:
            if _NOT_FOUND in error.response["Error"].get("Message", ""):
                return None
            raise
