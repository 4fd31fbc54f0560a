"""A prediction for nodes of eight H100 GPUs, from datasheets. Nothing here was measured on a GPU.

Every stage of training has a rate in faces a second; the slowest binds. Datasheet figures are
peaks; the two efficiencies are assumptions. Processor rates are those measured on the machine that
runs the benchmark, scaled by cores. One GPU alone has all processors and disks of its node.
"""

from dataclasses import asdict, dataclass
from typing import Any

GPUS = (1, 8, 64)
GPUS_A_NODE = 8
SOURCES = {
    "bf16_flops": "NVIDIA H100 datasheet: 989 TFLOP/s dense in bfloat16 (SXM)",
    "nvlink_bytes_per_s": "NVIDIA H100 datasheet: NVLink 900 GB/s, half in each direction",
    "pcie_bytes_per_s": "NVIDIA H100 datasheet: PCIe 5 x16, 128 GB/s, half in each direction",
    "network_bytes_per_s": "Amazon EC2 P5: 3,200 Gbit/s a node, an eighth for each GPU",
    "cores_a_node": "Amazon EC2 P5: 192 virtual processors, which are 96 cores",
    "disk_bytes_per_s": "assumed: 2 GB/s for each of the eight NVMe disks of a P5 node",
    "efficiency": "assumed: a quarter of the peak in convolutions of this size",
    "launch_s": "assumed: 10 us for each operation of a step, without CUDA graphs",
    "dollars_a_gpu_hour": (
        "Amazon EC2 Capacity Blocks, p5.48xlarge, US East: 39.33 dollars an hour for eight GPUs, "
        "price list valid until 1 January 2025. Prices named on the web in 2026 range from 2.5 to "
        "over 10 dollars a GPU hour"
    ),
}
"""Where each figure comes from."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """Figures of one GPU, or of the node where the name says so."""

    bf16_flops: float = 989e12
    nvlink_bytes_per_s: float = 450e9
    pcie_bytes_per_s: float = 64e9
    network_bytes_per_s: float = 50e9
    cores_a_node: int = 96
    disk_bytes_per_s: float = 16e9
    efficiency: float = 0.25
    launch_s: float = 10e-6
    dollars_a_gpu_hour: float = 4.92


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a face costs."""

    flops: float
    """Forward and backward, of a face."""
    operations: int
    """Operations that torch launches for a step."""
    weight_bytes: float
    """Gradients that GPUs add up in a step, float32."""
    jpegs_per_core_s: float
    """JPEGs that a core decodes, measured."""
    jpeg_bytes: float = 10_000
    array_bytes: float = 64 * 64 * 3
    batch_size: int = 256
    """Faces of a step on each GPU."""


def predict(work: Work, num_gpus: int, *, jpegs: bool, node: Node | None = None) -> dict[str, Any]:
    """Return the rate of each stage in faces a second on all GPUs, and the stage that binds."""
    node = node or Node()
    num_nodes = -(-num_gpus // GPUS_A_NODE)
    read_bytes = work.jpeg_bytes if jpegs else work.array_bytes
    arithmetic_s = work.batch_size * work.flops / (node.bf16_flops * node.efficiency)
    batches = num_gpus * work.batch_size
    rates = {
        "disk": num_nodes * node.disk_bytes_per_s / read_bytes,
        "copy to the GPU": num_gpus * node.pcie_bytes_per_s / work.array_bytes,
        "arithmetic": batches / arithmetic_s,
        "launches": batches / (work.operations * node.launch_s),
    }
    if jpegs:
        rates["decoding"] = num_nodes * node.cores_a_node * work.jpegs_per_core_s
    if num_gpus > 1:
        wire = node.nvlink_bytes_per_s if num_nodes == 1 else node.network_bytes_per_s
        seconds = 2 * (num_gpus - 1) / num_gpus * work.weight_bytes / wire
        rates["adding gradients"] = batches / seconds
    binding = min(rates, key=lambda name: rates[name])
    return {"faces_per_s": rates[binding], "binds": binding, "rates": rates}


def price(
    work: Work, faces: int, epochs: int, num_gpus: int, *, jpegs: bool, node: Node | None = None
) -> dict[str, Any]:
    """Return the hours and dollars of a training."""
    node = node or Node()
    predicted = predict(work, num_gpus, jpegs=jpegs, node=node)
    hours = faces * epochs / predicted["faces_per_s"] / 3600
    return {
        "hours": hours,
        "dollars": hours * num_gpus * node.dollars_a_gpu_hour,
        "binds": predicted["binds"],
    }


def describe() -> dict[str, Any]:
    """Return every figure with its source."""
    return {
        name: {"value": value, "source": SOURCES[name]} for name, value in asdict(Node()).items()
    }
