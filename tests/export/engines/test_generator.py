"""Open generators from runs and exported files."""

from pathlib import Path

import numpy as np
import pytest
import torch

from faceae.errors import FaceaeError
from faceae.latent import LatentMoments, save_prior
from faceae.model import save_model, weights_hash
from faceae.runs import Run, TrainConfig, TrainedModel, write_run
from faceae_export import OpenedGenerator, generate_faces, open_generator

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def run_path(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the model of `trained`, with other latents. Nobody may write here."""
    path = tmp_path_factory.mktemp("runs") / "run"
    run = Run(
        config=TrainConfig(data=path / "data", run=path),
        model=trained.model.config,
        dataset_hash=trained.dataset_hash,
        crop=trained.crop,
        num_train_images=1,
        held_out_split="valid",
        device="cpu",
        dtype="float32",
        dtype_reason="",
        cache="none",
        cache_reason="",
        versions={},
    )
    write_run(run)
    save_model(trained.model, run.model_path)
    moments = LatentMoments(trained.model.config.latent_size)
    moments.update(np.random.default_rng(0).normal(size=(100, trained.model.config.latent_size)))
    prior = moments.normal_prior(weights_hash=weights_hash(trained.model), dataset_hash="d")
    save_prior(prior, run.latents_path)
    return path


def draw(generator: OpenedGenerator) -> np.ndarray:
    return np.concatenate(list(generate_faces(generator.session, seed=1, start=0, count=3)))


def test_run_in_two_engines(run_path: Path) -> None:
    in_torch = open_generator(run_path, CPU)
    in_onnx = open_generator(run_path, CPU, "onnxruntime")
    assert (in_torch.engine, in_onnx.engine) == (None, "onnxruntime")
    assert "the model in torch" in in_torch.session.engine
    assert in_onnx.session.engine.startswith("ONNX Runtime")
    assert np.abs(draw(in_torch).astype(int) - draw(in_onnx)).max() <= 1


def test_fastest_engine_of_a_file_can_be_opened_again(exported: Path) -> None:
    path = exported / "generator.onnx"
    fastest = open_generator(path, CPU, "auto")
    assert fastest.choice is not None
    assert fastest.engine == fastest.choice.engine == "onnxruntime"
    again = open_generator(fastest.model, CPU, fastest.engine)
    assert again.choice is None
    assert np.array_equal(draw(again), draw(fastest))


def test_what_is_no_generator(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(FaceaeError, match="nothing: does not exist; give a run's folder"):
        open_generator(tmp_path / "nothing", CPU)
    with pytest.raises(FaceaeError, match=r"decoder\.ts: is a decoder"):
        open_generator(exported / "decoder.ts", CPU)
    with pytest.raises(FaceaeError, match="not a training run"):
        open_generator(tmp_path, CPU)
