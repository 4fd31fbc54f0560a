"""Options of a training run."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faceae.data import LoaderKind
from faceae.device import CacheMode, DeviceName
from faceae.errors import FaceaeError
from faceae.model import ModelConfig, Variant
from faceae_shards import Location

Start = Literal["components", "random"] | Path
"""First weights: the principal components of the faces, random numbers, or a file of weights."""

KeepCheckpoints = int | Literal["best"]
"""How many of the last checkpoints stay, or `best`: the last one, and that of the best epoch."""


def parse_start(text: str) -> Start:
    """Return the start that a text names: `components`, `random`, or else the path of a file."""
    named: dict[str, Start] = {"components": "components", "random": "random"}
    return named.get(text, Path(text))


_MODELS_OF_OPTION: dict[str, tuple[Variant, ...]] = {
    "noise_std": ("denoising",),
    "kl_weight": ("variational", "adversarial"),
    "free_bits": ("variational", "adversarial"),
    "latent_penalty": ("regularised",),
}


def list_models_of(name: str) -> tuple[Variant, ...] | None:
    """Return the kinds of models that have the option `name`. None: all of them have it."""
    return _MODELS_OF_OPTION.get(name)


_RANDOM_START_LR = 2e-3
_WARM_START_LR = 2e-4


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Options of one training run, for any number of processes that share it.

    Raises:
        FaceaeError: an option is out of its range.
    """

    data: Location
    """A dataset packed by `faceae shard`."""
    run: Path
    """Folder to write. It must be new or empty."""
    epochs: int = 20
    """Passes over the training split. The learning rate falls to zero over all of them."""
    batch_size: int = 64
    """Faces per step, over all processes."""
    accumulate: int = 1
    """Micro-batches that a process splits its share of a batch into, to need less memory. BatchNorm
    takes its statistics over each micro-batch."""
    sync_batchnorm: bool = False
    """Compute BatchNorm's statistics over the faces of all processes, not of each process alone.
    Not with `init='components'`, which keeps its first statistics."""
    lr: float | None = None
    """Peak learning rate. None: 0.002 with random first weights, and 0.0002 with others, which a
    higher rate would destroy, and for adversarial models, whose discriminator learns twice as
    fast."""
    clip_norm: float | None = None
    """Largest norm of the gradient of all weights; longer gradients are scaled down to it. None: no
    limit."""
    model: Variant = "plain"
    """Kind of autoencoder."""
    noise_std: float | None = None
    """Standard deviation of the noise on the input of a denoising model, pixels in [-1, 1].
    None: 0.1."""
    kl_weight: float | None = None
    """Weight of a variational or adversarial model's KL divergence from the standard normal
    distribution, in nats per face, relative to the sum of the squared errors of a face. None: 1."""
    free_bits: float | None = None
    """Divergence of each latent number that a variational or adversarial model is not penalised
    for, in nats. None: 0."""
    latent_penalty: float | None = None
    """Weight of half the squared length of a regularised model's latent vectors, relative to the
    sum of the squared errors of a face. None: 0.01."""
    image_size: int | None = None
    """Height and width in pixels. None: that of the packed images, or 64 if they vary in size."""
    latent_size: int = 1024
    """Numbers that describe one face."""
    width: int = 64
    """Channels after the first convolution."""
    init: Start = "components"
    """First weights. A file is safetensors, or a state dict written by torch.save (.pt, .pth).
    `begin_from_run` also takes the folder of another run."""
    amp: bool = True
    """Compute in bfloat16 or float16 if the device has instructions for it."""
    compile: bool = False
    """Compile the network with torch.compile. The first step then takes up to some minutes."""
    cuda_graph: bool = False
    """Replay each step's kernels as a CUDA graph."""
    device: DeviceName = "auto"
    """Device to train on; auto: the GPU if there is one."""
    loader: LoaderKind = "auto"
    """Library that reads the shards; auto: DALI if it can be imported."""
    cache: CacheMode = "auto"
    """Memory that holds the training faces after the first read; auto: where they fit."""
    seed: int = 0
    """Seed of the first weights, the order of the faces and their mirroring."""
    log_steps: int = 20
    """Steps between two lines of metrics. The host waits for the device only then."""
    early_stop: int | None = None
    """Epochs in a row without a better held-out PSNR after which training ends. None: no limit."""
    keep_checkpoints: KeepCheckpoints = 2
    """How many of the last checkpoints stay, or `best`: the last one and that of the best epoch.
    The last one at the end of an epoch always stays."""
    tracker: tuple[str, ...] = ()
    """Trackers that receive figures and faces besides TensorBoard: wandb, mlflow, clearml, or one
    that another package offers."""
    checkpoint_minutes: float = 10.0
    """Longest time between two checkpoints, checked every `log_steps` steps. The end of an epoch
    writes one, too."""

    def __post_init__(self) -> None:
        for name, value in (
            ("epochs", self.epochs),
            ("batch_size", self.batch_size),
            ("accumulate", self.accumulate),
            ("log_steps", self.log_steps),
            ("early_stop", 1 if self.early_stop is None else self.early_stop),
            ("keep_checkpoints", 1 if self.keep_checkpoints == "best" else self.keep_checkpoints),
        ):
            if value < 1:
                raise FaceaeError(f"`{name}` must be at least 1, got {value}")
        self.count_faces_per_rank(1)
        if not (math.isfinite(self.peak_lr) and self.peak_lr > 0):
            raise FaceaeError(f"`lr` must be a positive number, got {self.peak_lr:g}")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise FaceaeError(f"`clip_norm` must be a positive number, got {self.clip_norm:g}")
        if self.model == "adversarial":
            self._check_adversarial()
        if self.sync_batchnorm and self.init == "components":
            raise FaceaeError(
                "`sync_batchnorm` works with `init='random'` or a file of weights: from components "
                "BatchNorm keeps its first statistics in all processes"
            )
        if self.cuda_graph and (self.compile or self.accumulate > 1):
            # A replay overwrites the gradients of the previous one.
            raise FaceaeError("`cuda_graph` works with neither `compile` nor `accumulate`")
        if not 0 <= self.seed < 2**63:
            raise FaceaeError(f"`seed` must be in 0 - 2^63-1, got {self.seed}")
        if not self.checkpoint_minutes > 0:
            raise FaceaeError(
                f"`checkpoint_minutes` must be above 0, got {self.checkpoint_minutes:g}"
            )
        # Rejects a shape that no network can have.
        image_size = {} if self.image_size is None else {"image_size": self.image_size}
        ModelConfig(
            latent_size=self.latent_size, width=self.width, variant=self.model, **image_size
        )
        self._check_variant_options()

    @property
    def peak_lr(self) -> float:
        """The given learning rate, or the one that suits the first weights."""
        if self.lr is not None:
            return self.lr
        is_cold = self.init == "random" and self.model != "adversarial"
        return _RANDOM_START_LR if is_cold else _WARM_START_LR

    def count_faces_per_rank(self, world_size: int) -> int:
        """Return the number of faces per step in each of `world_size` processes.

        Raises:
            FaceaeError: the batch cannot be divided among them, or into micro-batches.
        """
        num_micro_batches = world_size * self.accumulate
        if self.batch_size % num_micro_batches:
            raise FaceaeError(
                f"`batch_size={self.batch_size}` cannot be divided among {world_size} processes "
                f"x `accumulate={self.accumulate}`; give a multiple of {num_micro_batches}"
            )
        if self.batch_size < 2 * num_micro_batches:
            raise FaceaeError(
                f"`batch_size` must be at least {2 * num_micro_batches}: BatchNorm compares faces"
            )
        return self.batch_size // world_size

    def _check_adversarial(self) -> None:
        """Raise FaceaeError if an option supposes that a step is one pass of one network."""
        for name, given in (
            ("accumulate", self.accumulate > 1),
            ("compile", self.compile),
            ("cuda_graph", self.cuda_graph),
        ):
            if given:
                raise FaceaeError(
                    f"`{name}` does not work with `model='adversarial'`, whose step trains two "
                    "networks in turn; leave it out"
                )
        if self.early_stop is not None or self.keep_checkpoints == "best":
            raise FaceaeError(
                "`early_stop` and `keep_checkpoints='best'` do not work with "
                "`model='adversarial'`: the PSNR of reconstructions does not show how good its new "
                "faces are; leave them out"
            )

    def _check_variant_options(self) -> None:
        for name, models in _MODELS_OF_OPTION.items():
            value = getattr(self, name)
            if value is not None and self.model not in models:
                raise FaceaeError(
                    f"`{name}` belongs to `model='{models[0]}'`, not to '{self.model}'"
                )
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise FaceaeError(f"`{name}` must be a number of at least 0, got {value:g}")
