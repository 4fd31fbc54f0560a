"""The TorchScript file, as software without a line of ours sees it."""

import json
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from export import ExportSource
from faceae.latent import latent_noise


def load_plainly(path: Path) -> tuple[torch.jit.ScriptModule, dict[str, str]]:
    files = {"faceae.json": ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module = torch.jit.load(path, _extra_files=files)
    return module, json.loads(files["faceae.json"])


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_decoder_in_plain_torch(exported: Path, source: ExportSource, batch_size: int) -> None:
    z_NZ = torch.from_numpy(latent_noise(5, 0, batch_size, 16))
    module, _ = load_plainly(exported / "decoder.ts")
    with torch.inference_mode():
        np.testing.assert_allclose(module(z_NZ), source.model.decode(z_NZ), atol=1e-4)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_generator_in_plain_torch(exported: Path, source: ExportSource, batch_size: int) -> None:
    noise = torch.from_numpy(latent_noise(5, 0, batch_size, 16))
    module, metadata = load_plainly(exported / "generator.ts")
    with torch.inference_mode():
        faces = module(noise)
        expected = source.build("generator", source.model.decoder)(noise)
    assert (faces.shape, faces.dtype) == ((batch_size, 32, 32, 3), torch.uint8)
    assert (faces.int() - expected.int()).abs().max() <= 1
    assert metadata["kind"] == "generator"


def test_decoder_is_rewritten_and_nothing_trains(exported: Path) -> None:
    module, _ = load_plainly(exported / "decoder.ts")
    assert "aten::batch_norm" not in str(module.graph)
    assert "aten::linear" in str(module.graph)
    assert list(module.parameters()) == []


def test_file_holds_no_trace_of_the_machine(exported: Path) -> None:
    for name in ("decoder.ts", "generator.ts"):
        with zipfile.ZipFile(exported / name) as archive:
            content = b"".join(archive.read(record) for record in archive.namelist())
            assert not any(record.endswith(".debug_pkl") for record in archive.namelist())
        for trace in (b"site-packages", b".py:", str(Path.cwd()).encode()):
            assert trace not in content, (name, trace)
