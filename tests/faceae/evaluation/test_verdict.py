"""The sentence about a reconstruction, beside PCA."""

from dataclasses import replace

import pytest

from faceae.evaluation import EvalRecord, PcaRecord, Score, describe_reconstruction
from faceae.model import Variant

PCA = Score(psnr_db=25.0, mean_image_psnr_db=25.5, ssim=0.8)


def make_record(psnr_db: float, num_fit_images: int = 9000) -> EvalRecord:
    return EvalRecord(
        split="test",
        num_images=3,
        dataset_hash="d",
        is_run_dataset=True,
        weights_hash="w",
        model=replace(PCA, psnr_db=psnr_db),
        pca=PcaRecord(
            num_components=1024,
            num_fit_images=num_fit_images,
            num_train_images=num_fit_images,
            score=PCA,
        ),
        worst=(),
        best=(),
    )


@pytest.mark.parametrize(
    ("variant", "advice"),
    [
        ("plain", "train longer"),
        ("denoising", "plain model"),
        ("regularised", "lower the penalty"),
        ("variational", "expected of a variational model"),
        ("adversarial", "expected of an adversarial model"),
    ],
)
def test_below_pca(variant: Variant, advice: str) -> None:
    sentence = describe_reconstruction(make_record(23.5), variant)
    assert sentence is not None
    assert "1.5 dB below PCA of the model's latent size (1,024 components)" in sentence
    assert advice in sentence


@pytest.mark.parametrize(
    ("psnr_db", "num_fit_images", "words"),
    [
        (24.95, 9000, "as close as"),
        (26.0, 9000, "1.0 dB above"),
        (26.0, 2000, "weak here: it was fitted on 2,000 faces"),
    ],
)
def test_at_or_above_pca(psnr_db: float, num_fit_images: int, words: str) -> None:
    sentence = describe_reconstruction(make_record(psnr_db, num_fit_images), "variational")
    assert sentence is not None
    assert words in sentence
    assert "expected" not in sentence


def test_without_pca() -> None:
    assert describe_reconstruction(replace(make_record(25.0), pca=None), "plain") is None
