"""Every check of `faceae doctor --full` on a GPU, except the measurements of speed.

Graphs, compilation, caches, NCCL, the placement of operators and exports are among them.
"""

import pytest
import torch

from faceae.doctor.checks import CHECKS, run_checks

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


@pytest.mark.parametrize("name", [name for name in CHECKS if not name.startswith("speed")])
@pytest.mark.filterwarnings("default")
def test_check_passes(name: str) -> None:
    (outcome,) = run_checks(torch.device("cuda", 0), {name: CHECKS[name]})
    if outcome.status == "not run":
        pytest.skip(outcome.detail)
    assert outcome.status == "ok", outcome.detail
