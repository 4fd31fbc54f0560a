"""Networks in fp16 and bf16, and the measurement of a speedup."""

import time
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from faceae.model import ModelConfig
from faceae.runs import TrainedModel
from faceae_export import ExportInfo, Precision
from faceae_export.graph import Network, lower, measure_speedup

INFO = ExportInfo(kind="decoder", model=ModelConfig(), weights_hash="", dataset_hash="", crop=None)


class Sleeper:
    """A session whose runs take this long."""

    info = INFO
    engine = "sleep"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        time.sleep(self._seconds)
        return inputs[0]


@pytest.mark.parametrize(
    ("precision", "dtype", "least_psnr_db"),
    [("fp16", torch.float16, 45), ("bf16", torch.bfloat16, 35)],
)
@torch.inference_mode()
def test_lowered_network_is_close_and_the_model_stays(
    trained: TrainedModel, precision: Precision, dtype: torch.dtype, least_psnr_db: float
) -> None:
    lowered = lower(Network.of(trained.model), precision)
    z_NZ = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
    found = lowered.decoder(z_NZ[:, :, None, None].to(dtype))
    assert found.dtype == dtype
    mean_square = (found.float() - trained.model.decode(z_NZ)).square().mean()
    assert 10 * torch.log10(4 / mean_square) > least_psnr_db
    assert {parameter.dtype for parameter in trained.model.parameters()} == {torch.float32}


def test_speedup_is_above_1_where_the_session_is_faster() -> None:
    slow, fast = Sleeper(0.03), Sleeper(0.01)
    inputs = [np.zeros((1, 2), np.float32)]
    assert measure_speedup(fast, slow, inputs) > 1.5
    assert measure_speedup(slow, fast, inputs) < 1 / 1.5
