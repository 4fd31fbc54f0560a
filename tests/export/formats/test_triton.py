"""The model repository. No Triton runs here: its configuration is read with protobuf, by the names
and types that Triton's model_config.proto gives the fields used."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_export import Kind, export_model, open_session

CPU = torch.device("cpu")
KINDS: tuple[Kind, ...] = ("generator", "encoder", "morph")
INT32, INT64, UINT64, STRING = 5, 3, 4, 9
"""Types of protobuf fields."""
DATA_TYPES = {"TYPE_UINT8": 2, "TYPE_INT64": 9, "TYPE_FP32": 11}
NUMPY_TYPES = {2: np.uint8, 9: np.int64, 11: np.float32}


def add_message(file: Any, name: str, fields: dict[str, tuple[int, Any, bool]]) -> None:
    """Add a message; fields are (number, type or type name, repeated)."""
    message = file.message_type.add(name=name)
    for field_name, (number, kind, repeated) in fields.items():
        field = message.field.add(name=field_name, number=number, label=3 if repeated else 1)
        if isinstance(kind, int):
            field.type = kind
        else:
            field.type_name = f".triton.{kind}"


def make_model_config() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="c.proto", package="triton", syntax="proto3")
    values = file.enum_type.add(name="DataType").value
    for name, number in {"TYPE_INVALID": 0, **DATA_TYPES}.items():
        values.add(name=name, number=number)
    port = {
        "name": (1, STRING, False),
        "data_type": (2, "DataType", False),
        "dims": (4, INT64, True),
    }
    add_message(file, "ModelInput", port | {"dims": (4, INT64, True)})
    add_message(file, "ModelOutput", port | {"dims": (3, INT64, True)})
    add_message(
        file,
        "Batching",
        {
            "preferred_batch_size": (1, INT32, True),
            "max_queue_delay_microseconds": (2, UINT64, False),
        },
    )
    config = {
        "name": (1, STRING, False),
        "platform": (2, STRING, False),
        "max_batch_size": (4, INT32, False),
        "input": (5, "ModelInput", True),
        "output": (6, "ModelOutput", True),
        "dynamic_batching": (11, "Batching", False),
    }
    add_message(file, "ModelConfig", config)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("triton.ModelConfig"))()


@pytest.fixture(scope="module")
def repositories(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a repository of each of KINDS, called as it; nobody may write there."""
    folder = tmp_path_factory.mktemp("triton")
    for kind in KINDS:
        report = export_model(trained, "triton", kind, folder / kind, CPU)
        names = [file.name for file in report.files]
        assert names == [f"{kind}/{kind}/1/model.onnx", f"{kind}/{kind}/config.pbtxt"]
    return folder


def read_config(repositories: Path, kind: Kind) -> Any:
    text = (repositories / kind / kind / "config.pbtxt").read_text()
    return text_format.Parse(text, make_model_config())


@pytest.mark.parametrize("kind", KINDS)
def test_configuration_is_that_of_the_model(repositories: Path, kind: Kind) -> None:
    config = read_config(repositories, kind)
    graph = onnx.load(repositories / kind / kind / "1" / "model.onnx").graph
    batched = kind != "morph"
    assert (config.name, config.platform) == (kind, "onnxruntime_onnx")
    assert config.max_batch_size == (64 if batched else 0)
    assert config.HasField("dynamic_batching") is batched
    for ports, values in ((config.input, graph.input), (config.output, graph.output)):
        for port, value in zip(ports, values, strict=True):
            tensor = value.type.tensor_type
            dims = [dim.dim_value or -1 for dim in tensor.shape.dim]
            assert port.name == value.name
            assert ([-1, *port.dims] if batched else list(port.dims)) == dims
            assert NUMPY_TYPES[port.data_type] == onnx.helper.tensor_dtype_to_np_dtype(
                tensor.elem_type
            )


def test_batches_have_few_sizes(repositories: Path) -> None:
    """On a GPU, ONNX Runtime plans its convolutions again for each new batch size."""
    batching = read_config(repositories, "generator").dynamic_batching
    assert list(batching.preferred_batch_size) == [4, 16, 64]
    assert batching.max_queue_delay_microseconds == 2000


def test_requests_joined_along_the_first_axis(
    repositories: Path, example: Any, assert_same: Any
) -> None:
    """What Triton does: two requests of other truncations become one batch."""
    path = repositories / "generator" / "generator" / "1" / "model.onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs, expected = example("generator", 5)
    noise = np.concatenate([inputs["noise"], inputs["noise"]])
    truncation = np.repeat(np.array([[inputs["truncation"]], [0]], np.float32), 5, axis=0)
    (faces,) = session.run(None, {"noise": noise, "truncation": truncation})
    assert_same(faces[:5], expected)
    assert np.ptp(faces[5:].astype(int), axis=0).max() <= 1


def test_session_of_the_file_inside(repositories: Path, example: Any, assert_same: Any) -> None:
    for kind in ("generator", "morph"):
        inputs, expected = example(kind, 5)
        session = open_session(repositories / kind / kind / "1" / "model.onnx", CPU)
        assert_same(session.run(*inputs.values()), expected)


def test_folder_that_is_there_is_left_alone(trained: TrainedModel, tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    with pytest.raises(FaceaeError, match="repository: exists already; name a new folder"):
        export_model(trained, "triton", "decoder", tmp_path / "repository", CPU)
    assert [path.name for path in tmp_path.rglob("*")] == ["repository"]


def test_folder_is_no_file_to_open(repositories: Path) -> None:
    with pytest.raises(FaceaeError, match=r"encoder: is a folder; .* name the model\.onnx in it"):
        open_session(repositories / "encoder", CPU)
