"""Where `compile` and `cuda_graph` are refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from faceae.errors import FaceaeError
from faceae.training import TrainConfig
from faceae.training.step import check_speed_options

CPU = torch.device("cpu")


def config(**options: Any) -> TrainConfig:
    return TrainConfig(data=Path("data"), run=Path("run"), **options)


def test_cuda_graph_is_refused_on_the_cpu_and_in_several_processes() -> None:
    with pytest.raises(FaceaeError, match="`cuda_graph` needs a GPU"):
        check_speed_options(config(cuda_graph=True), CPU, world_size=1)
    with pytest.raises(FaceaeError, match="`cuda_graph` works in one process only"):
        check_speed_options(config(cuda_graph=True), torch.device("cuda"), world_size=2)
    check_speed_options(config(cuda_graph=True), torch.device("cuda"), world_size=1)


@pytest.mark.parametrize("others", [{"compile": True}, {"accumulate": 2}])
def test_cuda_graph_goes_alone(others: dict[str, Any]) -> None:
    with pytest.raises(FaceaeError, match="`cuda_graph` works with neither `compile` nor `acc"):
        config(cuda_graph=True, **others)


@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")
def test_compiling_without_a_compiler_is_one_clear_line() -> None:
    from torch._inductor import config as inductor

    message = r"`compile`: .* install a C\+\+ compiler .*, or leave"
    no_compiler = inductor.patch({"cpp.cxx": (None, "no-such-compiler")})
    with no_compiler, pytest.raises(FaceaeError, match=message):
        check_speed_options(config(compile=True), CPU, world_size=1)
