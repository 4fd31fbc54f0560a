"""BatchNorm with synchronised or fixed statistics.

Shapes: N faces, C channels, H and W pixels.
"""

from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.nn.functional import all_reduce
from torch.nn import functional


def synchronise_batchnorm(model: nn.Module, device: torch.device) -> None:
    """Make the BatchNorm layers inside `model` compute their statistics over all processes.

    CUDA uses torch's SyncBatchNorm, which has no CPU version. The CPU computes the same in plain
    torch. Names and values of weights and buffers do not change.
    """
    if device.type == "cuda":
        _replace_batchnorm(model, nn.SyncBatchNorm.convert_sync_batchnorm)
    else:
        _replace_batchnorm(model, lambda norm: _copy_into(_SyncedBatchNorm2d, norm))


def keep_statistics(model: nn.Module) -> None:
    """Make the BatchNorm layers inside `model` use their current statistics in training, too.

    Their weights and biases still learn. Names and values of weights and buffers do not change.
    """
    _replace_batchnorm(model, lambda norm: _copy_into(_FixedBatchNorm2d, norm))


def _replace_batchnorm(model: nn.Module, convert: Callable[[nn.BatchNorm2d], nn.Module]) -> None:
    for name, child in model.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(model, name, convert(child))
        else:
            _replace_batchnorm(child, convert)


def _copy_into(kind: type[nn.BatchNorm2d], norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    copy = kind(norm.num_features, eps=norm.eps, momentum=norm.momentum)
    copy.load_state_dict(norm.state_dict())
    return copy


class _FixedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d that never uses the statistics of a batch."""

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        return functional.batch_norm(
            x_NCHW, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


class _SyncedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d with statistics over the batches of all processes, which must be of one size."""

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(x_NCHW)
        floats_NCHW = x_NCHW.float()
        mean_C = _mean_over_all(floats_NCHW)
        centred_NCHW = floats_NCHW - mean_C[:, None, None]
        var_C = _mean_over_all(centred_NCHW.square())
        num_values = x_NCHW.numel() // x_NCHW.shape[1] * dist.get_world_size()
        self._track(mean_C, var_C * num_values / (num_values - 1))
        scale_C = self.weight * torch.rsqrt(var_C + self.eps)
        y_NCHW = centred_NCHW * scale_C[:, None, None] + self.bias[:, None, None]
        return y_NCHW.to(x_NCHW.dtype)

    @torch.no_grad()
    def _track(self, mean_C: torch.Tensor, unbiased_var_C: torch.Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean_C, self.momentum)
        self.running_var.lerp_(unbiased_var_C, self.momentum)


def _mean_over_all(x_NCHW: torch.Tensor) -> torch.Tensor:
    mean_C: torch.Tensor = all_reduce(x_NCHW.mean((0, 2, 3))) / dist.get_world_size()  # type: ignore[no-untyped-call]
    return mean_C
