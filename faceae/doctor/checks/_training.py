"""Checks of training steps and of whole runs."""

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from faceae.device import choose_amp, choose_backend, full_float32
from faceae.distributed import Ranks
from faceae.model import FaceAutoEncoder, ModelConfig, Variant, start_from_components, to_float
from faceae.runs import TrainConfig, open_run, read_history
from faceae.training import resume, train
from faceae.training.step import TrainState, make_train_state, train_step

from .._gpus import describe_compiler
from ._bench import CPU, SMALL, Bench, make_images
from ._outcome import NotRunError, compare, require

_NUM_STEPS = 8
_BATCH = 16
_TOTAL_STEPS = 100
_LR = 1e-2
_LEAST_FALL = 0.02
"""Least fall of the loss in these steps: 0.05 in float32 on a CPU."""
_LIMIT = 1e-3
"""Largest difference of losses in float32."""
_HALF_LIMIT = 5e-3
"""The same below float32: 0.0005 on a CPU."""


def make_learner(
    config: ModelConfig,
    device: torch.device,
    amp_dtype: torch.dtype | None = None,
    *,
    batch_size: int = _BATCH,
    ranks: Ranks | None = None,
    **options: Any,
) -> TrainState:
    """Return a train state with the random weights of seed 0."""
    torch.manual_seed(0)
    train_config = TrainConfig(
        data=Path("data"),
        run=Path("run"),
        batch_size=batch_size,
        init="random",
        model=config.variant,
        **{"lr": _LR, **options},
    )
    return make_train_state(
        config,
        train_config,
        device=device,
        amp_dtype=amp_dtype,
        total_steps=_TOTAL_STEPS,
        ranks=ranks or Ranks(),
    )


def check_float32(bench: Bench) -> str:
    """Compare the losses of training steps in float32 on the GPU with those on the CPU."""
    bench.need_gpu()
    return compare(_losses(bench.device), _losses(CPU), limit=_LIMIT)


def check_bfloat16(bench: Bench) -> str:
    """Compare the losses of training steps in bfloat16 with those in float32."""
    return _compare_dtype(bench, torch.bfloat16)


def check_float16(bench: Bench) -> str:
    """Compare the losses of training steps in float16 with loss scaling with those in float32."""
    return _compare_dtype(bench, torch.float16)


def _compare_dtype(bench: Bench, dtype: torch.dtype) -> str:
    learner = make_learner(SMALL, bench.device, dtype)
    found = _losses(bench.device, learner=learner)
    text = compare(found, _losses(bench.device), limit=_HALF_LIMIT)
    if not learner.scaler.is_enabled():
        return text
    # The scaler leaves out the first steps if its first factor is too large.
    return f"{text}, {learner.count_taken_steps()} of {_NUM_STEPS} steps taken"


def check_graph(bench: Bench) -> str:
    """Compare the losses of replayed CUDA graphs with those of eager steps."""
    bench.need_gpu()
    found = _losses(bench.device, learner=make_learner(SMALL, bench.device, cuda_graph=True))
    return compare(found, _losses(bench.device), limit=_LIMIT)


def check_denoising_graph(bench: Bench) -> str:
    """Check that a replayed graph draws new noise for a denoising model."""
    return _check_noise_of_graph(bench, "denoising")


def check_variational_graph(bench: Bench) -> str:
    """Check that a replayed graph draws new noise for a variational model."""
    return _check_noise_of_graph(bench, "variational")


def _check_noise_of_graph(bench: Bench, variant: Variant) -> str:
    bench.need_gpu()
    config = replace(SMALL, variant=variant)
    # The weights hardly change, so other losses come from other noise.
    learner = make_learner(config, bench.device, cuda_graph=True, lr=1e-12)
    losses = _take_steps(learner)
    require(all(map(math.isfinite, losses)), f"a loss is not finite: {losses}")
    require(len(set(losses)) == len(losses), "replays repeat the noise")
    compare(losses, [losses[0]] * len(losses), limit=0.1)
    return f"{len(losses)} replays with other noise each"


def check_compile(bench: Bench) -> str:
    """Compare the losses of compiled steps with those of eager steps."""
    need_compiler(bench.device)
    found = _losses(bench.device, learner=make_learner(SMALL, bench.device, compile=True))
    return compare(found, _losses(bench.device), limit=_LIMIT)


def need_compiler(device: torch.device) -> None:
    """Raise NotRunError if `compile` lacks a compiler or Python's headers."""
    found, enough = describe_compiler(on_gpu=device.type == "cuda")
    if not enough:
        raise NotRunError(f"torch.compile lacks something: {found}")


def check_adversarial(bench: Bench) -> str:
    """Train against a discriminator: warm-up, the discriminator alone, both."""
    config = replace(SMALL, variant="adversarial")
    learner = make_learner(
        config, bench.device, choose_amp(bench.device, requested=True).dtype, lr=1e-4
    )
    assert learner.adversary is not None
    networks = (learner.model, learner.adversary.discriminator, learner.adversary.average)
    before = [copy.deepcopy(network.state_dict()) for network in networks]
    num_steps = _TOTAL_STEPS // 8
    images = make_images(_BATCH, SMALL.image_size, bench.device)
    losses = [train_step(learner, step, images).loss.item() for step in range(num_steps)]
    require(all(map(math.isfinite, losses)), f"a loss is not finite: {losses}")
    for network, old in zip(networks, before, strict=True):
        changed = any(not torch.equal(v, old[k]) for k, v in network.state_dict().items())
        require(changed, f"{type(network).__name__} has not learned")
        finite = all(bool(v.isfinite().all()) for v in network.parameters())
        require(finite, f"{type(network).__name__} has weights that are not finite")
    return f"{num_steps} steps, loss {losses[0]:.3g} to {losses[-1]:.3g}"


def check_components(bench: Bench) -> str:
    """Compare the reconstructions by first weights from components with those of the CPU."""
    bench.need_gpu()
    found, expected = _reconstruct_first(bench.device), _reconstruct_first(CPU)
    return compare(found, expected, limit=2e-2)


@torch.no_grad()
def _reconstruct_first(device: torch.device) -> torch.Tensor:
    torch.manual_seed(0)
    model = FaceAutoEncoder(SMALL).eval().to(device)
    images = make_images(128, SMALL.image_size, CPU)
    with full_float32():
        count = start_from_components(model, [images.to(device)])
    require(count > 0, "found no components")
    faces_NCHW: torch.Tensor = model.to(CPU)(to_float(images))
    return faces_NCHW


def check_processes(bench: Bench) -> str:
    """Compare steps of DistributedDataParallel, in a group of one process, with plain ones."""
    backend = choose_backend() if bench.on_gpu else "gloo"
    if not dist.is_available() or dist.is_initialized():
        raise NotRunError("torch has no process groups here, or one is in use")
    store = dist.HashStore()  # type: ignore[attr-defined]
    dist.init_process_group(backend, store=store, rank=0, world_size=1)
    try:
        # Two are claimed, since Ranks exchanges nothing in a single process.
        ranks = Ranks(rank=0, world_size=2)
        learner = make_learner(SMALL, bench.device, ranks=ranks)
        ranks.share_state(learner.model)
        found = _losses(bench.device, learner=learner)
        ranks.share_buffers(learner.model)
        compare(ranks.sum([1.0, 2.0]), [1.0, 2.0], limit=0)
    finally:
        dist.destroy_process_group()
    return f"{backend}: {compare(found, _losses(bench.device), limit=_LIMIT)}"


def check_run(bench: Bench) -> str:
    """Train a run, extend it, and load its weights on the CPU."""
    config = TrainConfig(
        data=bench.arrays.path,
        run=bench.folder / "run",
        epochs=1,
        batch_size=_BATCH,
        image_size=SMALL.image_size,
        latent_size=SMALL.latent_size,
        width=SMALL.width,
        device="cuda" if bench.on_gpu else "cpu",
    )
    train(config)
    result = resume(config.run, config.data, {"epochs": 2})
    history = read_history(result.run)
    psnr = [epoch.valid_psnr_db for epoch in history.epochs]
    require(result.position.epoch == 2, "the run was not extended")
    require(all(map(math.isfinite, psnr)), f"the held-out PSNR is not finite: {psnr}")
    open_run(config.run)
    return f"held-out PSNR {psnr[0]:.1f} and {psnr[-1]:.1f} dB in {result.run.dtype}"


def _losses(device: torch.device, *, learner: TrainState | None = None) -> list[float]:
    """Return the losses of some steps; in float32 and eager without a `learner`.

    Raises:
        DifferenceError: they do not fall.
    """
    losses = _take_steps(learner or make_learner(SMALL, device))
    require(losses[-1] < losses[0] - _LEAST_FALL, f"the loss does not fall: {losses}")
    return losses


def _take_steps(learner: TrainState) -> list[float]:
    images = make_images(_BATCH, SMALL.image_size, learner.device)
    with full_float32():
        return [train_step(learner, step, images).loss.item() for step in range(_NUM_STEPS)]
