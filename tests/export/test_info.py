from pathlib import Path

import pytest

from export import ExportInfo, Kind
from faceae.errors import FaceaeError
from faceae.model import ModelConfig


def make_info(kind: Kind = "decoder") -> ExportInfo:
    model = ModelConfig(image_size=32, latent_size=16, width=8)
    return ExportInfo(kind=kind, model=model, weights_hash="w", dataset_hash="d")


@pytest.mark.parametrize("kind", ["decoder", "generator"])
def test_metadata_round_trip(kind: Kind) -> None:
    info = make_info(kind)
    assert ExportInfo.from_metadata(Path("x"), info.to_metadata()) == info


def test_metadata_tells_a_stranger_what_goes_in_and_comes_out() -> None:
    metadata = make_info("generator").to_metadata()
    assert metadata["input"].startswith("noise: N x 16 float32")
    assert metadata["output"] == "faces: N x 32 x 32 x 3 uint8"
    assert (metadata["value_range"], metadata["colour_order"]) == ("0-255", "RGB")
    assert make_info("decoder").to_metadata()["output"] == "faces: N x 3 x 32 x 32 float32"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "not written by `faceae export`"),
        ({"format_version": "2"}, "export format 2, where this faceae reads 1"),
        ({"kind": "encoder"}, "metadata is damaged"),
        ({"model": "{"}, "metadata is damaged"),
        ({"model": '{"image_size": 33}'}, "metadata is damaged"),
        ({"model": '{"image_colour": 3}'}, "metadata is damaged"),
    ],
)
def test_foreign_metadata_names_the_file(change: dict[str, str], message: str) -> None:
    with pytest.raises(FaceaeError, match=rf"decoder\.onnx: .*{message}"):
        ExportInfo.from_metadata(Path("decoder.onnx"), make_info().to_metadata() | change)


def test_missing_metadata() -> None:
    metadata = make_info().to_metadata()
    del metadata["weights_hash"]
    with pytest.raises(FaceaeError, match="metadata is damaged"):
        ExportInfo.from_metadata(Path("decoder.onnx"), metadata)
    with pytest.raises(FaceaeError, match="not written by"):
        ExportInfo.from_metadata(Path("decoder.onnx"), {})
