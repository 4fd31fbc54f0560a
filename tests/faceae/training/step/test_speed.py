"""Where `compile` and `cuda_graph` are refused, and what a captured graph keeps."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from faceae.distributed import Ranks
from faceae.errors import FaceaeError
from faceae.model import ModelConfig, Variant
from faceae.training import TrainConfig
from faceae.training.step import Losses, check_speed_options, make_train_state, train_step

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


class Graphed(torch.autograd.Function):
    """What a captured step is to autograd: all of its outputs require a gradient."""

    @staticmethod
    def forward(ctx: Any, keep: tuple[torch.Tensor, ...], *parameters: torch.Tensor) -> Any:
        return tuple(loss.detach() for loss in keep)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        return (None, *(torch.zeros_like(parameter) for parameter in Capture.parameters))


class Capture:
    """Stands in for `torch.cuda.make_graphed_callables`, which needs a GPU."""

    static_losses: Losses
    parameters: tuple[torch.Tensor, ...]

    @classmethod
    def make(cls, module: nn.Module, images: tuple[torch.Tensor]) -> nn.Module:
        cls.static_losses = static = module(*images)
        cls.parameters = parameters = tuple(module.parameters())
        torch.autograd.grad(static.loss, parameters, torch.ones(()))
        module.forward = lambda images: Losses(*Graphed.apply(tuple(static), *parameters))  # type: ignore[assignment]
        return module


@pytest.fixture
def no_gpu_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", Capture.make)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: None)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: None)


@pytest.mark.usefixtures("no_gpu_needed")
@pytest.mark.parametrize("model", ["plain", "variational", "denoising", "regularised"])
def test_a_captured_graph_keeps_no_autograd_graph(model: Variant) -> None:
    """Its nodes would accumulate gradients on the stream of the capture, with a wait for each."""
    options: dict[str, Any] = {"model": model, "cuda_graph": True, "batch_size": 4}
    train_state = make_train_state(
        ModelConfig(image_size=32, latent_size=8, width=8, variant=model),
        config(**options),
        device=CPU,
        amp_dtype=None,
        total_steps=10,
        ranks=Ranks(),
    )
    assert all(loss.grad_fn is None for loss in Capture.static_losses)
    losses = train_step(train_state, 0, torch.zeros(4, 3, 32, 32, dtype=torch.uint8))
    assert [loss.requires_grad for loss in losses] == [False, False], "20 steps would be kept"
