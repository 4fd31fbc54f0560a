"""Ceilings of the machine: faces a second by matrix products, and by reading the weights.

A batch reads the decoder's weights once and multiplies for every face. Multiplication limits a
large batch; both limit a single face. The first layer holds three quarters of the weights but does
a thirteenth of the work, so reading hardly overlaps with multiplication and the times add up.
"""

import statistics
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from benchmarks import runner
from faceae.model import FaceAutoEncoder

SGEMM = "sgemm"
READING = "reading the weights"
SGEMM_SIZE = 2048
SGEMMS_A_TURN = 8
READS_A_TURN = 64
MEMORY_BYTES = 2**30
"""Bytes to read: far more than the caches hold."""


def contenders(model: FaceAutoEncoder) -> list[runner.Contender]:
    """Return square float32 products and sums of arrays.

    The rate of a product is the faces a second that it would allow; the rate of a sum is how many
    times a second it would read the weights.
    """
    a = np.random.default_rng(0).random((SGEMM_SIZE, SGEMM_SIZE), dtype=np.float32)
    a_torch = torch.from_numpy(a)
    products = SGEMMS_A_TURN * 2 * SGEMM_SIZE**3 / count_flops(model)
    weight_bytes = count_weight_bytes(model)
    again = torch.ones(weight_bytes // 4)
    memory = torch.ones(MEMORY_BYTES // 4)

    def contender(
        group: str, name: str, work: Callable[[], object], times: int, items: float
    ) -> runner.Contender:
        def repeat() -> float:
            for _ in range(times):
                work()
            return items

        return runner.Contender(group=group, name=name, peer=True, rate=runner.timed(repeat))

    return [
        contender(SGEMM, "numpy", lambda: a @ a, SGEMMS_A_TURN, products),
        contender(SGEMM, "PyTorch", lambda: a_torch @ a_torch, SGEMMS_A_TURN, products),
        contender(READING, "the same bytes again", again.sum, READS_A_TURN, READS_A_TURN),
        contender(READING, "from memory", memory.sum, 2, 2 * MEMORY_BYTES / weight_bytes),
    ]


def count_flops(model: FaceAutoEncoder) -> int:
    """Return the multiplications and additions of the plain decoder for one face."""
    size, flops = 1, 0
    for layer in model.decoder:
        if isinstance(layer, nn.ConvTranspose2d):
            flops += 2 * size**2 * layer.weight.numel()
            size = (size - 1) * layer.stride[0] - 2 * layer.padding[0] + layer.kernel_size[0]
    return flops


def count_weight_bytes(model: FaceAutoEncoder) -> int:
    """Return the bytes of the decoder's convolution weights in float32."""
    layers = [layer for layer in model.decoder if isinstance(layer, nn.ConvTranspose2d)]
    return sum(4 * layer.weight.numel() for layer in layers)


def shares(
    rows: Sequence[runner.Row], batch_sizes: Sequence[int], *, with_reading: bool
) -> dict[str, dict[str, float]]:
    """Return each rate as a share of the round's best sgemm, the median over the rounds, by group.

    Args:
        rows: Rows of batches of faces in groups "batch N", and rows of `contenders`.
        with_reading: Also count the time to read the weights at the fastest measured rate.
    """
    sgemm, reading = _best(rows, SGEMM), _best(rows, READING)
    found: dict[str, dict[str, float]] = {}
    for batch_size in batch_sizes:
        group = f"batch {batch_size}"
        seconds_a_face = [
            1 / product + (1 / (batch_size * read) if with_reading else 0)
            for product, read in zip(sgemm, reading, strict=True)
        ]
        found[group] = {
            row.name: statistics.median(
                rate * seconds
                for rate, seconds in zip(row.items_per_s, seconds_a_face, strict=True)
            )
            for row in rows
            if row.group == group
        }
    return found


def _best(rows: Sequence[runner.Row], group: str) -> list[float]:
    rates = [row.items_per_s for row in rows if row.group == group]
    return [max(each) for each in zip(*rates, strict=True)]
