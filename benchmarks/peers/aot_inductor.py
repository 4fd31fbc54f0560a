"""`torch.export` and AOTInductor: the plain decoder, compiled to a library for one batch size.

Its documentation advises to freeze the weights for the CPU; `max_autotune` tries more kernels. A
batch size has a library of its own, which is its fastest form. Channels-last order was tried, and
was slower. Compilation needs a C++ compiler.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch._inductor import aoti_compile_and_package, aoti_load_package

if shutil.which("g++") is None and shutil.which("clang++") is None:
    raise ImportError("no C++ compiler")


def compile_decoder(
    module: nn.Module, latent_size: int, batch_sizes: tuple[int, ...], folder: Path
) -> Callable[[Any], Any]:
    """Return a function from latents, N x Z float32, to faces; N is one of the batch sizes."""
    options = {"freezing": True, "max_autotune": True}
    libraries = {}
    for size in batch_sizes:
        with torch.no_grad(), torch._inductor.config.patch(options):
            exported = torch.export.export(module, (torch.zeros(size, latent_size),))
            path = aoti_compile_and_package(exported, package_path=str(folder / f"aoti{size}.pt2"))
        libraries[size] = aoti_load_package(path)

    @torch.inference_mode()
    def decode(z: Any) -> Any:
        return libraries[len(z)](torch.from_numpy(z)).numpy()

    return decode
