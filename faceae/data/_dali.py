"""A loader that uses NVIDIA DALI.

On a GPU DALI reads, shuffles, decodes and scales. On a CPU DALI reads and shuffles, and
`BatchDecoder` does the rest: DALI 2.4 decodes through nvImageCodec, scales in float32 and runs the
operators of an image one after another, which needs more CPU time.

The GPU graph follows DALI's documentation. Tests check its structure; it has not yet run on a GPU.
"""

import base64
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import nvidia.dali
import torch
from nvidia.dali import fn, types
from nvidia.dali.data_node import DataNode
from nvidia.dali.pipeline import Pipeline
from nvidia.dali.plugin.pytorch import feed_ndarray

from faceae.errors import FaceaeError
from faceae_shards import Dataset

from ._batch_decoder import BatchDecoder
from ._config import LoaderConfig
from ._epoch import EpochLoader
from ._npy import NPY_HEADER_BYTES, check_first_npy

_PREFETCH_BATCHES = 2
"""Batches that DALI prepares in advance."""

_DECODED_AHEAD = 2
"""Batches that `BatchDecoder` works on while an earlier one is in use."""

_BROKEN_DATA_OPERATORS = ("readers.webdataset", "decoders.image", "peek_image_shape", "slice")
"""Operators whose failure means that a stored image is damaged."""


class _Started(NamedTuple):
    """A batch that was read, and DALI's state after it."""

    finish: Callable[[], torch.Tensor]
    """Waits for the images, N x H x W x 3 uint8."""
    checkpoint: bytes


class DaliLoader(EpochLoader):
    """Batches read by DALI; see `Loader`."""

    def __init__(self, dataset: Dataset, config: LoaderConfig, device: torch.device):
        """Build the pipeline. Reading starts with the first batch.

        Raises:
            FaceaeError: the split is too small, or its arrays do not have the recorded size.
        """
        reader = f"dali {nvidia.dali.__version__} on {device.type}"
        super().__init__(dataset, config, device, reader)
        if dataset.encoding == "npy" and dataset.image_size is not None:
            check_first_npy(dataset.shard_paths(config.split)[0], dataset.image_size)
        self._decoder: BatchDecoder | None = None
        if device.type == "cpu":
            self._decoder = BatchDecoder(dataset, config, pin_memory=False)
        self._pipeline: Pipeline | None = self._build()
        self._checkpoint = self._pipeline.checkpoint()
        self._started: deque[_Started] = deque()
        self._num_started = 0

    def close(self) -> None:
        """Stop all threads. Batches already returned stay valid."""
        self._started.clear()
        self._pipeline = None
        if self._decoder is not None:
            self._decoder.close()

    def _build(self, checkpoint: bytes | None = None) -> Pipeline:
        config = self._config
        on_gpu = self._device.type == "cuda"
        pipeline = Pipeline(
            batch_size=config.batch_size,
            num_threads=config.num_threads if on_gpu else 1,
            device_id=_gpu_index(self._device) if on_gpu else None,
            # Ranks read different images, so each needs its own random numbers.
            seed=config.seed * config.world_size + config.rank,
            prefetch_queue_depth=_PREFETCH_BATCHES,
            # Always on, since it changes the order of the shards.
            enable_checkpointing=True,
            checkpoint=checkpoint,
        )
        with pipeline:
            define = define_graph if on_gpu else define_reading
            pipeline.set_outputs(*define(self._dataset, config, self._count_buffer()))
        pipeline.build()
        return pipeline

    def _read_batch(self) -> torch.Tensor:
        assert self._pipeline is not None, "the loader is closed"
        # On a GPU DALI itself prefetches.
        num_ahead = _DECODED_AHEAD if self._decoder is not None else 0
        while len(self._started) <= num_ahead:
            self._started.append(self._start_batch(self._pipeline))
        batch = self._started.popleft()
        images_NHWC = batch.finish()
        # The state after the returned batch, not after those read in advance.
        self._checkpoint = batch.checkpoint
        # N x H x W x C permuted is channels-last.
        return images_NHWC.permute(0, 3, 1, 2)

    def _start_batch(self, pipeline: Pipeline) -> _Started:
        if self._num_started > 0 and self._num_started % self.steps_per_epoch == 0:
            # DALI pads each rank's share to full batches. Training skips the padded batch at the
            # end of an epoch.
            for _ in range(self._steps_with_padding - self.steps_per_epoch):
                self._run(pipeline)
        outputs = self._run(pipeline)
        self._num_started += 1
        checkpoint = pipeline.checkpoint()
        if self._decoder is None:
            images_NHWC = _copy(outputs[0].as_tensor(), self._device)
            return _Started(lambda: images_NHWC, checkpoint)
        images, mirrored = outputs
        # Files of one length (npy) are one array; JPEGs are separate arrays.
        stored = images.as_array() if images.is_dense_tensor() else list(map(np.asarray, images))
        pending = self._decoder.start(
            stored, mirrored.as_array().astype(np.bool_), lambda row, what: self._damaged()
        )
        return _Started(pending.wait, checkpoint)

    def _run(self, pipeline: Pipeline) -> Any:
        # On a GPU the batch is ordered on torch's stream, so that the host does not wait.
        stream = torch.cuda.current_stream(self._device) if self._device.type == "cuda" else None
        try:
            return pipeline.run(stream)
        except RuntimeError as error:
            raise self._explain(error) from error

    def _explain(self, error: RuntimeError) -> Exception:
        text = str(error)
        if not any(f"fn.{name}`" in text for name in _BROKEN_DATA_OPERATORS):
            return error
        return self._damaged()

    def _damaged(self) -> FaceaeError:
        dataset, split = self._dataset.path, self._config.split
        return FaceaeError(
            f"DALI cannot read an image in split {split!r} of {dataset}; `faceae verify {dataset}` "
            "names it"
        )

    def _save_reader(self) -> dict[str, str | int]:
        return {"checkpoint": base64.b64encode(self._checkpoint).decode("ascii")}

    def _restore_reader(self, state: Mapping[str, str | int], epoch: int, step: int) -> None:
        checkpoint = base64.b64decode(str(state["checkpoint"]), validate=True)
        try:
            self._pipeline = self._build(checkpoint)
        except RuntimeError as error:
            raise ValueError(f"DALI: {str(error).splitlines()[0]}") from error
        self._checkpoint = checkpoint
        self._started.clear()
        self._num_started = epoch * self.steps_per_epoch + step


def define_graph(dataset: Dataset, config: LoaderConfig, shuffle_buffer: int) -> tuple[DataNode]:
    """Define the operators from shards to H x W x 3 uint8 images, RGB, on a GPU.

    The CPU reads the shards, CPU and GPU decode JPEGs ("mixed"), and the GPU does the rest.
    """
    stored = _read(dataset, config, shuffle_buffer)
    if dataset.encoding == "npy":
        images = _view_npy(stored, dataset)
    else:
        images = fn.decoders.image(
            stored,
            device="mixed",
            output_type=types.RGB,
            # Without it the CPU and the GPU decoder disagree on chroma.
            jpeg_fancy_upsampling=True,
        )
    if dataset.image_size != (config.image_size, config.image_size):
        images = _fit(images, stored, dataset, config.image_size)
    if config.training:
        images = fn.flip(images, horizontal=_draw_mirrored())
    return (images,)


def define_reading(
    dataset: Dataset, config: LoaderConfig, shuffle_buffer: int
) -> tuple[DataNode, DataNode]:
    """Define the operators from shards to the stored files, and whether to mirror each image."""
    stored = _read(dataset, config, shuffle_buffer)
    return stored, _draw_mirrored() if config.training else types.Constant(0, device="cpu")


def _draw_mirrored() -> DataNode:
    return fn.random.coin_flip(probability=0.5)


def _read(dataset: Dataset, config: LoaderConfig, shuffle_buffer: int) -> DataNode:
    if config.training:
        order = {
            "random_shuffle": True,
            "initial_fill": shuffle_buffer,
            # All ranks shuffle the shards to the same order, and each takes its share of it.
            "shuffle_after_epoch": True,
            "shuffle_after_epoch_seed": config.seed,
        }
    else:
        order = {"stick_to_shard": True}
    return fn.readers.webdataset(
        paths=[str(path) for path in dataset.shard_paths(config.split)],
        index_paths=[str(path) for path in dataset.index_paths(config.split)],
        ext=[dataset.encoding],
        missing_component_behavior="error",
        shard_id=config.rank,
        num_shards=config.world_size,
        # Without it the epochs of the ranks drift apart and overlap.
        pad_last_batch=True,
        name="reader",
        **order,
    )


def _view_npy(stored: DataNode, dataset: Dataset) -> DataNode:
    assert dataset.image_size is not None, "npy is packed at one size"
    height, width = dataset.image_size
    pixels = fn.slice(stored, NPY_HEADER_BYTES, height * width * 3, axes=[0])
    return fn.reshape(pixels, shape=[height, width, 3], layout="HWC").gpu()


def _fit(images: DataNode, stored: DataNode, dataset: Dataset, image_size: int) -> DataNode:
    """Scale the shorter side and keep the centre square, as `fit_image` does.

    Only the part of the source that the square covers is scaled, which gives the same pixels with
    less work. Sides are rounded as in `fit_image`, and the edges of the square are mapped back to
    source pixels.
    """
    if dataset.image_size is not None:
        shape = types.Constant(np.array(dataset.image_size, np.int32), device="cpu")
    else:
        shape = fn.peek_image_shape(stored, dtype=types.INT32)[:2]
    shorter = fn.reductions.min(shape)
    scaled = (2 * shape * image_size + shorter) // (2 * shorter)
    start = (scaled - image_size) // 2
    pixels_per_scaled = shape / scaled
    return fn.resize(
        images,
        size=(image_size, image_size),
        roi_start=start * pixels_per_scaled,
        roi_end=(start + image_size) * pixels_per_scaled,
        interp_type=types.INTERP_CUBIC,
    )


def _copy(images: Any, device: torch.device) -> torch.Tensor:
    """Copy a batch of DALI's into memory of torch's, on torch's current stream.

    DALI reuses the memory of a batch in the order of its own stream. A tensor that shares this
    memory (`from_dlpack`) could be overwritten while torch's stream still reads it. `feed_ndarray`
    makes DALI's stream wait for the copy. The host does not wait.
    """
    images_NHWC = torch.empty(images.shape(), dtype=torch.uint8, device=device)
    stream = torch.cuda.current_stream(device) if device.type == "cuda" else None
    feed_ndarray(images, images_NHWC, cuda_stream=stream)
    return images_NHWC


def _gpu_index(device: torch.device) -> int:
    return torch.cuda.current_device() if device.index is None else device.index
