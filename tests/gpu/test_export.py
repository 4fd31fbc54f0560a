"""Exported files on a GPU."""

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from faceae.doctor.checks._bench import SMALL, make_trained
from faceae.editing import Direction, Directions
from faceae.latent import latent_noise
from faceae.runs import TrainedModel
from faceae_export import (
    GPU_MICRO_BATCH,
    FormatName,
    Kind,
    Precision,
    export_model,
    generate_shards,
    open_generator,
    open_model,
    open_session,
)
from faceae_export.sessions import to_device, to_host

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    """A small model whose faces differ, with a sampler of its latents and a direction."""
    fields = {"classifier": "ridge", "accuracy": 1, "auc": 1, "num_positive": 9, "num_negative": 9}
    directions = Directions(
        found=(Direction(name="Smiling", **fields),),
        refused=(),
        vectors=np.ones((1, 16), np.float32),
        normals=np.ones((1, 16), np.float32),
        offsets=np.zeros(1, np.float32),
        limits=np.ones(1, np.float32),
        weights_hash="",
        dataset_hash="",
    )
    return replace(make_trained(SMALL), directions=directions)


@pytest.mark.parametrize("name", ["decoder.onnx", "decoder.ts"])
def test_file_runs_on_the_gpu_as_on_the_cpu(
    trained: TrainedModel, tmp_path: Path, name: str
) -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda", 0)
    format_name = "onnx" if name.endswith(".onnx") else "torchscript"
    export_model(trained, format_name, "decoder", tmp_path / name, cuda)
    session = open_session(tmp_path / name, cuda)
    assert "cuda" in session.engine.lower()
    z_NZ = latent_noise(0, 0, 9, 16)
    expected = open_model(trained, "decoder", cpu).run(z_NZ)
    np.testing.assert_allclose(session.run(z_NZ), expected, atol=1e-4)
    np.testing.assert_allclose(open_model(trained, "decoder", cuda).run(z_NZ), expected, atol=1e-4)


def test_large_batch_on_the_gpu_in_pieces(trained: TrainedModel, tmp_path: Path) -> None:
    """Through page-locked memory and bound arrays; each result has memory of its own."""
    cuda = torch.device("cuda", 0)
    export_model(trained, "onnx", "decoder", tmp_path / "d.onnx", cuda)
    z_NZ = latent_noise(0, 0, 2 * GPU_MICRO_BATCH + 1, 16)
    expected = open_model(trained, "decoder", torch.device("cpu")).run(z_NZ)
    for session in (open_session(tmp_path / "d.onnx", cuda), open_model(trained, "decoder", cuda)):
        found = [session.run(z_NZ) for _ in range(2)]
        np.testing.assert_array_equal(found[0], found[1])
        np.testing.assert_allclose(found[0], expected, atol=1e-4)


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize(
    ("format_name", "suffix", "precision"),
    [
        *[("torchscript", ".ts", precision) for precision in ("fp32", "fp16", "bf16")],
        *[("pt2", ".pt2", precision) for precision in ("fp32", "fp16", "bf16")],
        *[("onnx", ".onnx", precision) for precision in ("fp32", "fp16")],
    ],
)
def test_every_export_agrees_with_the_model(
    trained: TrainedModel,
    tmp_path: Path,
    format_name: FormatName,
    suffix: str,
    precision: Precision,
    kind: Kind,
) -> None:
    """`export_model` runs the file on the GPU and compares it with the model on the CPU."""
    if kind == "sampler" and precision != "fp32":
        pytest.skip("latents are sampled in float32")
    cuda, path = torch.device("cuda", 0), tmp_path / f"part{suffix}"
    report = export_model(trained, format_name, kind, path, cuda, precision=precision)
    assert "cuda" in report.checked_in.lower()
    assert "cuda" in open_session(path, cuda).engine.lower()


def test_dataset_of_new_faces_goes_on(trained: TrainedModel, tmp_path: Path) -> None:
    """Stopped after its first shard, it ends with the bytes of one that was not stopped."""

    def stop(num_done: int, total: int) -> None:
        if 64 <= num_done < total:
            raise KeyboardInterrupt

    cuda, path = torch.device("cuda", 0), tmp_path / "generator.onnx"
    export_model(trained, "onnx", "generator", path, cuda)
    generator = open_generator(path, cuda)
    options: dict[str, Any] = {"seed": 3, "samples_per_shard": 64}
    generate_shards(generator, tmp_path / "whole", range(5, 300), **options)
    with pytest.raises(KeyboardInterrupt):
        generate_shards(generator, tmp_path / "parts", range(5, 300), on_progress=stop, **options)
    generate_shards(generator, tmp_path / "parts", range(5, 300), **options)
    for file in sorted((tmp_path / "whole").rglob("*.tar")):
        other = tmp_path / "parts" / file.relative_to(tmp_path / "whole")
        assert file.read_bytes() == other.read_bytes(), file.name


def test_pinned_memory_is_not_reused_before_it_was_copied() -> None:
    """Each copy waits behind a pause, while its pinned memory is free for the next one."""
    cuda = torch.device("cuda", 0)
    arrays = [np.full((64, 1024), number, np.float32) for number in range(8)]
    tensors = []
    for array in arrays:
        torch.cuda._sleep(10_000_000)
        tensors.append(to_device(array, cuda))
    for array, tensor in zip(arrays, tensors, strict=True):
        np.testing.assert_array_equal(to_host(tensor), array)


def test_results_in_pinned_memory_are_not_overwritten() -> None:
    cuda = torch.device("cuda", 0)
    results = []
    for number in range(8):
        tensor = torch.full((64, 1024), float(number), device=cuda)
        torch.cuda._sleep(10_000_000)
        results.append(to_host(tensor.add_(0.5)))
    for number, result in enumerate(results):
        np.testing.assert_array_equal(result, np.full((64, 1024), number + 0.5, np.float32))
