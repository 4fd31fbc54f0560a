"""Exported generators hold the sampler of a prior that is not normal."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from faceae.latent import FlowConfig, LatentMoments, fit_flow, fit_mixture, fit_pairs, latent_noise
from faceae.runs import TrainedModel
from faceae_export import (
    FormatName,
    Precision,
    export_model,
    generate_faces,
    open_model,
    open_session,
)
from faceae_export.graph import Network, build_module

CPU = torch.device("cpu")
Z = 16


def draw_latents() -> np.ndarray:
    """Latents of two groups whose distances from the mean vary."""
    rng = np.random.default_rng(0)
    z_NZ = rng.normal(size=(400, Z)) @ rng.normal(size=(Z, Z)) / 2
    z_NZ *= np.exp(0.4 * rng.normal(size=(400, 1)))
    return (z_NZ + 3 * (rng.random((400, 1)) < 0.4)).astype(np.float32)


@pytest.fixture(scope="module", params=["gmm", "flow", "pairs"])
def with_prior(trained: TrainedModel, request: pytest.FixtureRequest) -> TrainedModel:
    z_NZ = draw_latents()
    moments = LatentMoments(Z)
    moments.update(z_NZ)
    normal = moments.normal_prior(weights_hash="", dataset_hash="")
    if request.param == "gmm":
        return replace(trained, sampler=fit_mixture(z_NZ, normal).sampler())
    if request.param == "pairs":
        return replace(trained, sampler=fit_pairs(z_NZ, normal).sampler())
    config = FlowConfig(width=32, num_blocks=1, max_steps=60, lr=5e-3)
    return replace(trained, sampler=fit_flow(z_NZ, normal, config=config).sampler())


@torch.inference_mode()
def test_generator_decodes_the_samplers_latents(with_prior: TrainedModel) -> None:
    assert with_prior.sampler is not None
    noise = latent_noise(0, 0, 5, Z)
    network = Network.of(with_prior.model)
    faces = build_module(with_prior, "generator", network)(
        torch.from_numpy(noise), torch.tensor([[1.0], [0.5], [0.0], [1.0], [0.7]])
    )
    decoder = build_module(with_prior, "decoder", network)
    for row, truncation in enumerate((1.0, 0.5, 0.0, 1.0, 0.7)):
        z_NZ = with_prior.sampler.latents(noise[row : row + 1], truncation)
        expected = ((decoder(torch.from_numpy(z_NZ)) + 1) * 127.5).clamp(0, 255)
        assert (faces[row].permute(2, 0, 1) - expected[0]).abs().max() <= 1
    assert faces.float().std() > 10


@pytest.mark.parametrize(
    ("format_name", "name", "precision"),
    [("onnx", "g.onnx", "fp32"), ("torchscript", "g.ts", "fp32"), ("torchscript", "g.ts", "bf16")],
)
def test_files_draw_the_runs_faces_from_any_number_on(
    with_prior: TrainedModel,
    tmp_path: Path,
    format_name: FormatName,
    name: str,
    precision: Precision,
) -> None:
    path = tmp_path / name
    export_model(with_prior, format_name, "generator", path, CPU, precision=precision)
    if format_name == "torchscript":
        assert _list_devices(path) == []
    session = open_session(path, CPU)
    faces = np.concatenate(list(generate_faces(session, seed=1, start=0, count=70)))
    again = np.concatenate(list(generate_faces(session, seed=1, start=33, count=30, batch_size=5)))
    assert np.array_equal(again, faces[33:63])
    model = open_model(with_prior, "generator", CPU)
    expected = np.concatenate(list(generate_faces(model, seed=1, start=0, count=70)))
    errors = np.abs(faces.astype(int) - expected)
    assert errors.max() <= (1 if precision == "fp32" else 40)
    assert errors.mean() < (0.01 if precision == "fp32" else 2)


def test_int8_leaves_the_sampler_in_float32(with_prior: TrainedModel, tmp_path: Path) -> None:
    report = export_model(
        with_prior, "onnx", "generator", tmp_path / "g.onnx", CPU, precision="int8"
    )
    assert report.parity.psnr_db is not None
    assert report.parity.psnr_db >= 35
    graph = onnx.load(tmp_path / "g.onnx").graph
    priors = [tensor for tensor in graph.initializer if tensor.name.startswith("prior.")]
    assert {tensor.data_type for tensor in priors} == {onnx.TensorProto.FLOAT}
    if with_prior.sampler is not None and hasattr(with_prior.sampler.module, "halves"):
        return  # A sampler of pairs looks latents up, and has no matrix.
    first_matrix = next(_walk(graph, "noise", ("Gemm", "MatMul")))
    assert not {node.op_type for node in graph.node if first_matrix.output[0] in node.input} & {
        "QuantizeLinear"
    }


def _list_devices(path: Path) -> list[object]:
    """Return the devices that tracing stored. They would keep the file off any other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        graph = torch.jit.load(path).inlined_graph
    constants = graph.findAllNodes("prim::Constant")
    return [each for each in constants if each.output().type().kind() == "DeviceObjType"]


def _walk(graph: onnx.GraphProto, start: str, kinds: tuple[str, ...]) -> Iterator[onnx.NodeProto]:
    """Yield the operators of some kinds that depend on an input, in order."""
    reached = {start}
    for node in graph.node:
        if reached & set(node.input):
            reached.update(node.output)
            if node.op_type in kinds:
                yield node
