"""What is DALI's own: its graph for either device, and how its memory reaches torch."""

import base64
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import faceae_shards
from faceae.data import LoaderConfig, make_loader
from faceae.errors import FaceaeError

pytest.importorskip("nvidia.dali")

from nvidia.dali.data_node import DataNode
from nvidia.dali.pipeline import Pipeline
from nvidia.dali.tensors import TensorCPU

from faceae.data import _dali

CPU = torch.device("cpu")


def make_config(image_size: int = 32, training: bool = True) -> LoaderConfig:
    return LoaderConfig(split="train", batch_size=8, image_size=image_size, training=training)


def trace_graph(dataset: faceae_shards.Dataset, config: LoaderConfig) -> list[str]:
    """Define the GPU's graph without building it; list the way of the images from last to first.

    An entry is an operator, the device it reads its images from and the one it leaves them on.
    """
    with Pipeline(batch_size=8, num_threads=1, device_id=0):
        node: DataNode
        (node,) = _dali.define_graph(dataset, config, shuffle_buffer=4)
        steps = []
        while node.source is not None and node.source.inputs:
            source = node.source.inputs[0]
            steps.append(f"{node.name.strip('_').split('_')[0]} {source.device}->{node.device}")
            node = source
        return [*steps, f"{node.name} {node.device}"]


def test_gpu_graph_decodes_jpegs_on_both_and_does_the_rest_on_the_gpu(
    photos: faceae_shards.Dataset,
) -> None:
    assert trace_graph(photos, make_config()) == [
        "Flip gpu->gpu",
        "Resize gpu->gpu",
        "Image cpu->gpu",
        "reader cpu",
    ]


def test_gpu_graph_moves_arrays_before_it_touches_their_pixels(
    dataset_npy: faceae_shards.Dataset,
) -> None:
    steps = trace_graph(dataset_npy, make_config(image_size=24))
    assert steps[:3] == ["Flip gpu->gpu", "Resize gpu->gpu", "Reshape cpu->gpu"]
    assert steps[3:] == ["Slice cpu->cpu", "reader cpu"]


def test_graph_does_no_more_than_is_needed(dataset_jpg: faceae_shards.Dataset) -> None:
    steps = trace_graph(dataset_jpg, make_config(training=False))
    assert steps == ["Image cpu->gpu", "reader cpu"]


class Stored:
    """A batch on a pipeline's way out: DALI's tensor in memory that DALI uses again."""

    def __init__(self) -> None:
        self.memory = np.arange(2 * 3 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3, 3)

    def as_tensor(self) -> TensorCPU:
        return TensorCPU(self.memory, layout="NHWC")


def test_a_decoded_batch_is_copied_out_of_the_memory_that_dali_uses_again(
    dataset_jpg: faceae_shards.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way of batches that DALI itself decodes, as on a GPU."""
    loader = _dali.DaliLoader(dataset_jpg, make_config(), CPU)
    stored = Stored()
    expected = torch.from_numpy(stored.memory.copy()).permute(0, 3, 1, 2)
    monkeypatch.setattr(loader, "_decoder", None)
    monkeypatch.setattr(loader, "_run", lambda pipeline: (stored,))
    images = loader._read_batch()
    stored.memory[:] = 0
    assert torch.equal(images, expected)
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_the_copy_is_ordered_on_torchs_current_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU `feed_ndarray` makes DALI's stream wait for this stream."""
    stream, ordered_on = object(), []

    def feed(images: TensorCPU, out: torch.Tensor, cuda_stream: object) -> torch.Tensor:
        ordered_on.append(cuda_stream)
        return out

    def empty(shape: list[int], *, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        assert device == torch.device("cuda", 0)
        return torch.zeros(shape, dtype=dtype)

    monkeypatch.setattr(_dali, "feed_ndarray", feed)
    monkeypatch.setattr(torch, "empty", empty)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    images = _dali._copy(Stored().as_tensor(), torch.device("cuda", 0))
    assert (ordered_on, images.shape, images.dtype) == ([stream], (2, 3, 3, 3), torch.uint8)


def test_a_state_is_of_the_batch_in_hand_though_dali_has_read_on(
    numbered: faceae_shards.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_read = 0
    run = _dali.DaliLoader._run

    def count(loader: _dali.DaliLoader, pipeline: Pipeline) -> object:
        nonlocal num_read
        num_read += 1
        return run(loader, pipeline)

    monkeypatch.setattr(_dali.DaliLoader, "_run", count)
    config = LoaderConfig(split="train", batch_size=10, image_size=16, training=True)
    loader = make_loader("dali", numbered, config, CPU)
    next(iter(loader))
    assert num_read == 3, "two are decoded ahead, and no more"
    state = loader.state_dict()
    expected = [batch.images for batch in loader]
    assert len(expected) == 9
    fresh = make_loader("dali", numbered, config, CPU)
    fresh.load_state_dict(state)
    found = [batch.images for batch in fresh]
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    loader.close()
    fresh.close()


def test_an_array_that_differs_from_the_first_is_an_error_with_the_remedy(
    dataset_npy: faceae_shards.Dataset, tmp_path: Path
) -> None:
    shutil.copytree(dataset_npy.path, tmp_path / "copy")
    copy = replace(dataset_npy, path=tmp_path / "copy")
    shard = copy.shard_paths("train")[0]
    data = shard.read_bytes()
    first, second, rest = data.split(b"(32, 32, 3)", 2)
    shard.write_bytes(first + b"(32, 32, 3)" + second + b"(16, 64, 3)" + rest)
    loader = make_loader("dali", copy, make_config(training=False), CPU)
    with pytest.raises(FaceaeError, match=r"^DALI cannot read .*`faceae verify"):
        list(loader)
    loader.close()


def test_arrays_of_another_size_than_recorded_are_refused_when_the_loader_opens(
    dataset_npy: faceae_shards.Dataset,
) -> None:
    other = replace(dataset_npy, manifest=replace(dataset_npy.manifest, image_size=(32, 31)))
    with pytest.raises(FaceaeError, match=r"train-000000\.tar does not begin with .*32x31x3"):
        make_loader("dali", other, make_config(), CPU)


def test_a_damaged_jpeg_ends_in_one_line_with_the_remedy(damaged: faceae_shards.Dataset) -> None:
    loader = make_loader("dali", damaged, make_config(training=False), CPU)
    with pytest.raises(FaceaeError, match=r"^DALI cannot read .*`faceae verify [^\n]*$"):
        list(loader)
    loader.close()


def test_errors_that_are_not_the_datas_stay_what_they_are(
    dataset_jpg: faceae_shards.Dataset,
) -> None:
    loader = make_loader("dali", dataset_jpg, make_config(), CPU)

    def fail(stream: object) -> None:
        raise RuntimeError("CUDA error: out of memory")

    loader._pipeline.run = fail  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="out of memory"):
        list(loader)
    loader.close()


@pytest.mark.parametrize(
    "checkpoint", ["no base64!", base64.b64encode(b"not protobuf").decode(), ""]
)
def test_a_damaged_checkpoint_is_refused(
    dataset_jpg: faceae_shards.Dataset, checkpoint: str
) -> None:
    loader = make_loader("dali", dataset_jpg, make_config(), CPU)
    with pytest.raises(FaceaeError, match=r"damaged.*start a new run"):
        loader.load_state_dict({**loader.state_dict(), "checkpoint": checkpoint})
    loader.close()


def test_ranks_draw_other_mirrors(numbered: faceae_shards.Dataset) -> None:
    mirrored = []
    for rank in (0, 1):
        config = LoaderConfig(
            split="train", batch_size=50, image_size=16, training=True, rank=rank, world_size=2
        )
        loader = make_loader("dali", numbered, config, CPU)
        mirrored.append(next(iter(loader)).images[:, 1, 0, 0])
        loader.close()
    assert not torch.equal(*mirrored)
