"""What is DALI's own: its graph for either device, and how its memory reaches torch."""

import base64

import pytest
import torch

import shards
from faceae.data import LoaderConfig, make_loader
from faceae.errors import FaceaeError

pytest.importorskip("nvidia.dali")

from nvidia.dali.data_node import DataNode
from nvidia.dali.pipeline import Pipeline

from faceae.data import _dali

CPU = torch.device("cpu")


def make_config(image_size: int = 32, training: bool = True) -> LoaderConfig:
    return LoaderConfig(split="train", batch_size=8, image_size=image_size, training=training)


def trace_graph(dataset: shards.Dataset, config: LoaderConfig, *, on_gpu: bool) -> list[str]:
    """Define a graph without building it, and list the way of the images from last to first.

    An entry is an operator, the device it reads its images from and the one it leaves them on.
    """
    with Pipeline(batch_size=8, num_threads=1, device_id=0 if on_gpu else None):
        node: DataNode
        (node,) = _dali.define_graph(dataset, config, on_gpu=on_gpu, shuffle_buffer=4)
        steps = []
        while node.source is not None and node.source.inputs:
            source = node.source.inputs[0]
            steps.append(f"{node.name.strip('_').split('_')[0]} {source.device}->{node.device}")
            node = source
        return [*steps, f"{node.name} {node.device}"]


def test_gpu_graph_decodes_jpegs_on_both_and_does_the_rest_on_the_gpu(
    photos: shards.Dataset,
) -> None:
    assert trace_graph(photos, make_config(), on_gpu=True) == [
        "Flip gpu->gpu",
        "Resize gpu->gpu",
        "Image cpu->gpu",
        "reader cpu",
    ]


def test_gpu_graph_moves_arrays_before_it_touches_their_pixels(
    dataset_npy: shards.Dataset,
) -> None:
    steps = trace_graph(dataset_npy, make_config(image_size=24), on_gpu=True)
    assert steps[:3] == ["Flip gpu->gpu", "Resize gpu->gpu", "Reshape cpu->gpu"]
    assert steps[3:] == ["Slice cpu->cpu", "reader cpu"]


def test_cpu_graph_stays_on_the_cpu(dataset_npy: shards.Dataset) -> None:
    assert trace_graph(dataset_npy, make_config(), on_gpu=False) == [
        "Flip cpu->cpu",
        "Reshape cpu->cpu",
        "Slice cpu->cpu",
        "reader cpu",
    ]


def test_graph_does_no_more_than_is_needed(dataset_jpg: shards.Dataset) -> None:
    steps = trace_graph(dataset_jpg, make_config(training=False), on_gpu=True)
    assert steps == ["Image cpu->gpu", "reader cpu"]


def test_images_are_dalis_memory_not_a_copy(
    dataset_npy: shards.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = []

    def spy(tensor: object) -> torch.Tensor:
        addresses.append(tensor.data_ptr())  # type: ignore[attr-defined]
        return torch.utils.dlpack.from_dlpack(tensor)

    monkeypatch.setattr(_dali, "from_dlpack", spy)
    loader = make_loader("dali", dataset_npy, make_config(), CPU)
    pointers = [batch.images.data_ptr() for batch in loader]
    loader.close()
    assert pointers == addresses


def test_arrays_of_another_size_than_recorded_are_refused_when_the_loader_opens(
    dataset_npy: shards.Dataset,
) -> None:
    from dataclasses import replace

    other = replace(dataset_npy, image_size=(32, 31))
    with pytest.raises(FaceaeError, match=r"train-000000\.tar does not begin with .*32x31x3"):
        make_loader("dali", other, make_config(), CPU)


def test_a_damaged_jpeg_ends_in_one_line_with_the_remedy(damaged: shards.Dataset) -> None:
    loader = make_loader("dali", damaged, make_config(training=False), CPU)
    with pytest.raises(FaceaeError, match=r"^DALI cannot read .*`faceae verify [^\n]*$"):
        list(loader)
    loader.close()


def test_errors_that_are_not_the_datas_stay_what_they_are(dataset_jpg: shards.Dataset) -> None:
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
def test_a_damaged_checkpoint_is_refused(dataset_jpg: shards.Dataset, checkpoint: str) -> None:
    loader = make_loader("dali", dataset_jpg, make_config(), CPU)
    with pytest.raises(FaceaeError, match=r"damaged.*start a new run"):
        loader.load_state_dict({**loader.state_dict(), "checkpoint": checkpoint})
    loader.close()


def test_ranks_draw_other_mirrors(numbered: shards.Dataset) -> None:
    mirrored = []
    for rank in (0, 1):
        config = LoaderConfig(
            split="train", batch_size=50, image_size=16, training=True, rank=rank, world_size=2
        )
        loader = make_loader("dali", numbered, config, CPU)
        mirrored.append(next(iter(loader)).images[:, 1, 0, 0])
        loader.close()
    assert not torch.equal(*mirrored)
