"""The TorchScript file, as software without a line of ours sees it."""

import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from faceae_export import Kind


def load_plainly(path: Path) -> tuple[torch.jit.ScriptModule, dict[str, str]]:
    files = {"faceae.json": ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module = torch.jit.load(path, _extra_files=files)
    return module, json.loads(files["faceae.json"])


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("count", [1, 4, 64])
def test_in_plain_torch(
    exported: Path,
    example: Callable[..., Any],
    assert_same: Callable[..., None],
    kind: Kind,
    count: int,
) -> None:
    inputs, expected = example(kind, count)
    module, metadata = load_plainly(exported / f"{kind}.ts")
    with torch.inference_mode():
        results = module(*map(torch.from_numpy, inputs.values()))
    assert_same(results.numpy(), expected)
    assert metadata["kind"] == kind


@pytest.mark.parametrize("kind", get_args(Kind))
def test_no_device_is_stored_in_the_graph(exported: Path, kind: Kind) -> None:
    """A device that tracing stored would keep the file off any other."""
    module, _ = load_plainly(exported / f"{kind}.ts")
    graph = module.inlined_graph
    constants = graph.findAllNodes("prim::Constant")
    devices = [each for each in constants if each.output().type().kind() == "DeviceObjType"]
    assert devices == []


def test_decoder_is_rewritten_and_nothing_trains(exported: Path) -> None:
    module, _ = load_plainly(exported / "autoencoder.ts")
    assert "aten::batch_norm" not in str(module.graph)
    assert "aten::linear" in str(module.graph)
    assert list(module.parameters()) == []


def test_file_holds_no_trace_of_the_machine(exported: Path) -> None:
    for name in ("decoder.ts", "generator.ts", "morph.ts"):
        with zipfile.ZipFile(exported / name) as archive:
            content = b"".join(archive.read(record) for record in archive.namelist())
            records = archive.namelist()
            # The id is a hash of the debug records, too.
            assert not any(
                record.endswith((".debug_pkl", "serialization_id")) for record in records
            )
        for trace in (b"site-packages", b".py:", str(Path.cwd()).encode()):
            assert trace not in content, (name, trace)
