"""Training against a discriminator: what it needs besides the model, and one step of it.

Shapes: N faces, C channels, H and W pixels, Z latent size.
"""

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceae.distributed import Ranks
from faceae.errors import FaceaeError
from faceae.model import Discriminator, FaceAutoEncoder

from ._augment import augment
from ._objective import Drawing, Drawn

log = logging.getLogger(__name__)

BETAS = (0.5, 0.99)
"""Decay rates of Adam's moments, for the model and for the discriminator."""
WARM_UP_SHARE = 0.08
"""Share of all steps in which the model trains as a variational one, without a discriminator."""
LONE_SHARE = 0.01
"""Share of all steps, after that, in which only the discriminator learns. Without this head start
the decoder deceives it faster than it learns."""
STAGES_SHARE = WARM_UP_SHARE + LONE_SHARE
"""Share of all steps before model and discriminator learn together."""
_RATE_RATIO = 2.0
"""Learning rate of the discriminator relative to the model's (Heusel et al., 2017)."""
_ERROR_WEIGHT = 2.0
_FEATURE_WEIGHT = 1.0
_KEEP = 0.998
"""Share of the average that one step keeps (Yazici et al., 2019)."""
WARM_UP_KEEP = 0.98
"""The same in the warm-up, whose first weights should soon be forgotten."""
_ACCURACY_SHARE = 0.01
"""Share of the moving accuracy that one batch contributes."""
_WON = 0.97
"""Share of rightly told faces above which the discriminator learns half as fast."""
_LOWEST_RATE = 1 / 64


class _Judgement(nn.Module):
    """The discriminator's loss on photographs and drawn faces, which are judged in one batch."""

    def __init__(self, discriminator: Discriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, images_NCHW: Tensor, faces_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss, and the share of images and faces that are told rightly."""
        judged = self.discriminator(augment(torch.cat([images_NCHW, faces_NCHW])))
        real_N, drawn_N = judged.scores_N.split([len(images_NCHW), len(faces_NCHW)])
        loss = functional.softplus(-real_N).mean() + functional.softplus(drawn_N).mean()
        right = 0.5 * ((real_N > 0).float().mean() + (drawn_N < 0).float().mean())
        return loss, right.detach()


@dataclass(kw_only=True)
class Adversary:
    """What an adversarial training has besides the model and its optimiser."""

    drawing: Drawing
    draw: Callable[..., Drawn]
    """`drawing`, which may be distributed over processes."""
    discriminator: Discriminator
    judge: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    """Loss of the discriminator and share told rightly, of N photographs and N drawn faces. May be
    distributed over processes."""
    optimizer: torch.optim.Optimizer
    """Optimiser of the discriminator."""
    average: FaceAutoEncoder
    """Moving average of the model's weights, in evaluation mode: the model that the run keeps."""
    accuracy: Tensor
    """Moving average of the share that the discriminator tells rightly, 0.5 to 1."""
    rate: float = 1.0
    """Factor on the discriminator's learning rate."""

    def balanced_rate(self) -> float:
        """Return `rate`, or half of it if the discriminator tells nearly all faces rightly.

        The accuracy is that of the faces of this process.

        Raises:
            FaceaeError: it does in spite of the lowest rate.
        """
        accuracy = self.accuracy.item()
        if accuracy <= _WON:
            return self.rate
        if self.rate <= _LOWEST_RATE:
            raise FaceaeError(
                f"the discriminator tells {accuracy:.1%} of the faces rightly however slowly it "
                "learns, so the decoder learns nothing from it; start a new `run` with a lower "
                "`lr` or more faces"
            )
        log.warning(
            "the discriminator tells %.1f %% of the faces rightly: it learns half as fast from now",
            100 * accuracy,
        )
        return self.rate / 2

    def tensors(self) -> dict[str, Tensor]:
        """Return the state to store, without the optimiser's."""
        return {
            **{f"discriminator.{k}": v for k, v in self.discriminator.state_dict().items()},
            **{f"average.{k}": v for k, v in self.average.state_dict().items()},
            **{f"latents.{k}": v for k, v in self.drawing.named_buffers(recurse=False)},
            "accuracy": self.accuracy,
            "rate": torch.tensor(self.rate, dtype=torch.float64),
        }

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Load what `tensors` returned.

        Raises:
            KeyError, RuntimeError: tensors are missing, or are those of another architecture.
        """
        for module, prefix in ((self.discriminator, "discriminator."), (self.average, "average.")):
            module.load_state_dict(
                {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            )
        for name, buffer in self.drawing.named_buffers(recurse=False):
            buffer.copy_(tensors[f"latents.{name}"])
        self.accuracy.copy_(tensors["accuracy"])
        self.rate = tensors["rate"].item()

    @torch.no_grad()
    def average_weights(self, model: FaceAutoEncoder, *, keep: float = _KEEP) -> None:
        """Move the average towards `model`; `keep` is the share that stays."""
        for mean, value in zip(
            self.average.state_dict().values(), model.state_dict().values(), strict=True
        ):
            if mean.is_floating_point():
                mean.lerp_(value, 1.0 - keep)
            else:
                mean.copy_(value)


def make_adversary(drawing: Drawing, joined: nn.Module, ranks: Ranks) -> Adversary:
    """Return an adversary with a new discriminator, from torch's global random state.

    Args:
        drawing: the objective, on its device.
        joined: the same, which may be distributed over the processes of `ranks`.
    """
    device = drawing.mean_Z.device
    discriminator = Discriminator(drawing.model.config).train().to(device)
    discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(drawing.model).eval().requires_grad_(requires_grad=False)
    return Adversary(
        drawing=drawing,
        draw=joined,
        discriminator=discriminator,
        judge=ranks.join(_Judgement(discriminator), device).network,
        optimizer=torch.optim.Adam(discriminator.parameters(), betas=BETAS, fused=True),
        average=average,
        accuracy=torch.full((), 0.5, device=device),
    )


def train_discriminator(
    adversary: Adversary, images_NCHW: Tensor, drawn: Drawn, lr: float
) -> Tensor:
    """Return the loss of the discriminator; its gradients are left to the caller."""
    for group in adversary.optimizer.param_groups:
        group["lr"] = lr * _RATE_RATIO * adversary.rate
    # As many photographs as drawn faces, each with its own random changes.
    twice_NCHW = torch.cat([images_NCHW, images_NCHW.flip(3)])
    loss, right = adversary.judge(twice_NCHW, drawn.faces_NCHW.detach())
    adversary.accuracy.lerp_(right, _ACCURACY_SHARE)
    return loss


def deceive(adversary: Adversary, images_NCHW: Tensor, drawn: Drawn) -> Tensor:
    """Return the model's loss against the discriminator, whose weights must not need gradients.

    The non-saturating loss (Goodfellow et al., 2014) of reconstructions and new faces; the distance
    between features of faces and their reconstructions in the discriminator, which replaces most of
    the pixels' error (Larsen, Sonderby, Larochelle and Winther, 2016); a part of this error; and
    the KL divergence.
    """
    num_faces = len(images_NCHW)
    # A face and its reconstruction get the same random changes.
    changed_NCHW = augment(torch.cat([images_NCHW, drawn.faces_NCHW[:num_faces]], dim=1))
    new_NCHW = augment(drawn.faces_NCHW[num_faces:])
    judged = adversary.discriminator(torch.cat([*torch.split(changed_NCHW, 3, dim=1), new_NCHW]))
    deceived = functional.softplus(-judged.scores_N[num_faces:]).mean()
    distances = []
    for feature_NCHW in judged.features:
        real_NCHW = feature_NCHW[:num_faces].float().detach()
        rebuilt_NCHW = feature_NCHW[num_faces : 2 * num_faces].float()
        distances.append(functional.mse_loss(rebuilt_NCHW, real_NCHW) / real_NCHW.var())
    features = torch.stack(distances).mean()
    pixels = _ERROR_WEIGHT * (drawn.error + drawn.penalty)
    return deceived + _FEATURE_WEIGHT * features + pixels
