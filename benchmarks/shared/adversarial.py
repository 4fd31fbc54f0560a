"""What adversarial training would cost on one H100: a prediction, not a measurement.

Operations and arithmetic of a step are counted while it runs on the CPU; the rates are those of
`node`.
"""

from typing import Any

from benchmarks.shared import node
from benchmarks.shared.steps import count_step
from faceae.model import ModelConfig


def predict(config: ModelConfig, *, batch_size: int, faces: int, epochs: int) -> dict[str, Any]:
    """Return the predicted steps a second of one H100, and hours and dollars of a training."""
    cost = count_step(config, "adversarial")
    work = node.Work(
        flops=cost.flops,
        operations=cost.operations,
        weight_bytes=0,  # one GPU adds up no gradients
        jpegs_per_core_s=0,  # arrays are not decoded
        batch_size=batch_size,
    )
    rate = node.predict(work, 1, jpegs=False)
    return {
        "is_a_prediction": True,
        "figures": node.describe(),
        "flops_per_face": cost.flops,
        "operations": cost.operations,
        "batch_size": batch_size,
        "steps_per_s": rate["faces_per_s"] / batch_size,
        "faces_per_s": rate["faces_per_s"],
        "faces": faces,
        "epochs": epochs,
        **node.price(work, faces, epochs, 1, jpegs=False),
    }
