"""Bound runs, on a CPU: the same binding as on a GPU, in ordinary memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnxruntime
import pytest
import torch

from faceae_export import Kind, open_session
from faceae_export.sessions._io_binding import IoBinding

CPU = torch.device("cpu")


@pytest.mark.parametrize("kind", get_args(Kind))
def test_bound_runs_give_the_same_bytes(
    exported: Path, example: Callable[..., Any], kind: Kind
) -> None:
    path = exported / f"{kind}.onnx"
    inputs = list(example(kind, 5)[0].values())
    plain = open_session(path, CPU)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    bound = IoBinding(session, plain.info, CPU, None)
    found = [bound.run(*inputs) for _ in range(2)]
    assert found[0].flags.c_contiguous
    for result in found:
        np.testing.assert_array_equal(result, plain.run(*inputs))
    assert not np.shares_memory(found[0], found[1])
