"""Micro-batches: the same result whatever the size of the batch and the number of threads."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from faceae.model import ModelConfig
from faceae_export import CPU_MICRO_BATCH, ExportInfo, open_session
from faceae_export.sessions import MicroBatchedSession, split_into_micro_batches

CPU = torch.device("cpu")
MODEL = ModelConfig(image_size=32, latent_size=2, width=4)
ENCODER = ExportInfo(kind="encoder", model=MODEL, weights_hash="", dataset_hash="", crop=None)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class MeanPixels:
    """An encoder whose latents are the mean and the number of faces computed together."""

    info = ENCODER
    engine = "NumPy"

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        (images_NHWC,) = inputs
        means_N = images_NHWC.mean((1, 2, 3))
        return np.stack([means_N, np.full_like(means_N, len(means_N))], 1).astype(np.float32)


def make_images(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (3, [3] * 3), (4, [4] * 4), (9, [4] * 8 + [1]), (12, [4] * 12)]
)
def test_batches_are_split_and_stay_in_order(count: int, sizes: list[int], parallel: bool) -> None:
    session = MicroBatchedSession(MeanPixels(), 4, 2, MeanPixels if parallel else None)
    images_NHWC = make_images(count)
    means_N, sizes_N = session.run(images_NHWC).T
    np.testing.assert_allclose(means_N, images_NHWC.mean((1, 2, 3)), rtol=1e-6)
    assert sizes_N.tolist() == sizes


@pytest.mark.parametrize("num_micro_batches", [1, 2, 3, 5])
@pytest.mark.parametrize("name", ["decoder.onnx", "decoder.ts", "generator.onnx"])
def test_large_batch_is_that_of_the_model(
    exported: Path,
    example: Callable[..., Any],
    assert_same: Callable[..., None],
    name: str,
    num_micro_batches: int,
) -> None:
    session = open_session(exported / name, CPU)
    inputs, expected = example(session.info.kind, num_micro_batches * CPU_MICRO_BATCH - 1)
    assert_same(session.run(*inputs.values()), expected)


@pytest.mark.parametrize("num_micro_batches", [2, 3, 5])
def test_same_bytes_on_any_number_of_threads(
    exported: Path,
    example: Callable[..., Any],
    request: pytest.FixtureRequest,
    num_micro_batches: int,
) -> None:
    inputs = example("decoder", num_micro_batches * CPU_MICRO_BATCH - 1)[0]["latents"]
    on_one = open_session(exported / "decoder.onnx", CPU).run(inputs)
    request.getfixturevalue("two_threads")
    on_two = open_session(exported / "decoder.onnx", CPU).run(inputs)
    np.testing.assert_array_equal(on_two, on_one)


def test_full_batch_keeps_all_threads_busy(two_threads: None) -> None:
    session = split_into_micro_batches(MeanPixels(), CPU)
    assert isinstance(session, MicroBatchedSession)
    assert session.full_batch == 2 * CPU_MICRO_BATCH
