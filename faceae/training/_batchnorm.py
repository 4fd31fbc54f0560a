"""BatchNorm over the faces of all processes.

Shapes: N faces, C channels, H and W pixels.
"""

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.nn.functional import all_reduce


def synchronise_batchnorm(model: nn.Module, device: torch.device) -> None:
    """Let the BatchNorm layers inside `model` take their statistics over all processes.

    On CUDA by torch's SyncBatchNorm, which has no CPU version; on the CPU by the same sums in plain
    torch. Names and values of weights and buffers stay.
    """
    for name, child in model.named_children():
        if not isinstance(child, nn.BatchNorm2d):
            synchronise_batchnorm(child, device)
        elif device.type == "cuda":
            setattr(model, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))  # type: ignore[no-untyped-call]
        else:
            synced = _SyncedBatchNorm2d(child.num_features, eps=child.eps, momentum=child.momentum)
            synced.load_state_dict(child.state_dict())
            setattr(model, name, synced)


class _SyncedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose statistics in training are those of equal batches in all processes."""

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
