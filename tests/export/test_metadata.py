"""Metadata: the same after a round trip, and readable by a person; foreign metadata is refused."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from faceae.errors import FaceaeError
from faceae.model import ModelConfig
from faceae_export import ExportInfo, Kind
from faceae_shards.faces import Place

PLACE = Place(eyes=((0.3, 0.4), (0.7, 0.4)), mouth=(0.5, 0.8))


def make_info(kind: Kind = "decoder", **fields: object) -> ExportInfo:
    model = ModelConfig(image_size=32, latent_size=16, width=8)
    values = {"weights_hash": "w", "dataset_hash": "d", "crop": None} | fields
    return ExportInfo(kind=kind, model=model, **values)


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"crop": 144, "numbers_as_rows": True},
        {"attributes": ("Smiling", "Jung ist")},
        {"aligned": False, "place": PLACE},
    ],
)
def test_metadata_round_trip(kind: Kind, fields: dict[str, object]) -> None:
    if kind not in ("editor", "latent-editor"):
        fields = {name: value for name, value in fields.items() if name != "attributes"}
    info = make_info(kind, **fields)
    assert ExportInfo.from_metadata(Path("x"), info.to_metadata()) == info


@pytest.mark.parametrize(
    ("kind", "inputs", "output"),
    [
        ("decoder", "latents: N x 16 float32, ", "faces: N x 3 x 32 x 32 float32, [-1, 1], RGB"),
        ("generator", "noise: N x 16 float32, standard normal; truncation: one float32, ", ""),
        ("encoder", "images: N x 32 x 32 x 3 uint8, 0-255, RGB", "latents: N x 16 float32, "),
        ("autoencoder", "images: N x 32 x 32 x 3 uint8, ", "faces: N x 32 x 32 x 3 uint8, "),
        (
            "morph",
            "images: 2 x 32 x 32 x 3 uint8, 0-255, RGB; steps: one int64, ",
            "faces: steps x",
        ),
    ],
)
def test_metadata_describes_inputs_and_output(kind: Kind, inputs: str, output: str) -> None:
    metadata = make_info(kind).to_metadata()
    assert metadata["inputs"].startswith(inputs)
    assert metadata["output"].startswith(output)
    assert metadata["value_range"] == ("[-1, 1]" if kind == "decoder" else "0-255")
    assert (metadata["colour_order"], metadata["latent_size"]) == ("RGB", "16")
    assert metadata.get("truncation_default") == ("1.0" if kind == "generator" else None)


def test_metadata_describes_the_crop() -> None:
    rule = make_info("encoder", crop=144).to_metadata()["crop_rule"]
    assert rule.startswith(
        "keep the centre square of 144 pixels, then scale the shorter side to 32"
    )
    assert make_info("encoder").to_metadata()["crop_rule"].startswith("scale the shorter side")


@pytest.mark.parametrize(("kind", "shape"), [("generator", (3, 1)), ("morph", (1,))])
def test_numbers_are_spread_where_the_file_wants_one_a_face(
    kind: Kind, shape: tuple[int, ...]
) -> None:
    rows = np.zeros((3, 16), np.float32)
    for as_rows in (False, True):
        info = make_info(kind, numbers_as_rows=as_rows)
        fed = info.feed((rows, np.array(2, info.inputs[1].dtype)))
        assert fed[info.inputs[0].name] is rows
        number = fed[info.inputs[1].name]
        assert number.shape == (shape if as_rows else ())
        assert number.dtype == info.inputs[1].dtype
        assert (number == 2).all()


def test_port_fits_only_its_type_and_fixed_sizes() -> None:
    port = make_info("generator").output
    assert port.fits(np.zeros((5, 32, 32, 3), np.uint8))
    assert not port.fits(np.zeros((5, 32, 32, 3), np.float32))
    assert not port.fits(np.zeros((5, 32, 64, 3), np.uint8))
    assert not port.fits(np.zeros((32, 32, 3), np.uint8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "not written by `faceae export`"),
        ({"format_version": "1"}, "export format 1, where this faceae reads 2; export the run"),
        ({"kind": "painter"}, "metadata is damaged"),
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
