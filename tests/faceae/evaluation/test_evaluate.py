"""A whole evaluation: the files it writes, its stages, and what it refuses."""

import pytest
import torch

import faceae_shards
from faceae.errors import FaceaeError
from faceae.evaluation import EvalConfig, EvalRecord, evaluate_run
from faceae.model import FaceAutoEncoder, ModelConfig, save_model
from faceae.runs import Run, TrainConfig

CONFIG = EvalConfig(batch_size=5, device="cpu", loader="webdataset")


@pytest.fixture
def run(config: TrainConfig, dataset_npy: faceae_shards.Dataset) -> Run:
    """A run with the weights of an untrained model."""
    torch.manual_seed(0)
    run = Run(
        config=config,
        model=ModelConfig(image_size=32, latent_size=16, width=4),
        dataset_hash=dataset_npy.hash,
        crop=None,
        num_train_images=24,
        held_out_split="valid",
        device="cpu",
        dtype="float32",
        dtype_reason="because",
        cache="none",
        cache_reason="because",
        versions={},
    )
    run.path.mkdir()
    save_model(FaceAutoEncoder(run.model), run.model_path)
    return run


def test_figures_and_picture_lie_in_the_run(run: Run, dataset_npy: faceae_shards.Dataset) -> None:
    evaluation = evaluate_run(run, dataset_npy, config=CONFIG)
    assert evaluation.path == run.eval_path("test")
    assert EvalRecord.load(evaluation.path) == evaluation.record
    assert evaluation.picture == evaluation.path.with_suffix(".png")
    assert evaluation.picture.exists()
    assert evaluation.reader.startswith("webdataset")


def test_stages_are_reported_to_their_end(run: Run, dataset_npy: faceae_shards.Dataset) -> None:
    last: dict[str, tuple[int, int]] = {}
    evaluate_run(
        run,
        dataset_npy,
        config=CONFIG,
        on_progress=lambda stage, done, total: last.update({stage: (done, total)}),
    )
    assert last == {
        "model": (12, 12),
        "faces for PCA": (24, 24),
        "fit of PCA": (24, 24),
        "PCA": (12, 12),
    }


def test_another_suffix_is_refused_before_the_work(
    run: Run, dataset_npy: faceae_shards.Dataset
) -> None:
    with pytest.raises(FaceaeError, match=r"figures\.png: .* ends in \.json"):
        evaluate_run(run, dataset_npy, run.path / "figures.png", CONFIG)
