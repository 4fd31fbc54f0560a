"""The torch.export archive, as software without a line of ours sees it."""

import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from faceae.errors import FaceaeError
from faceae.runs import TrainedModel
from faceae_export import Kind, export_model, open_session

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def archives(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every kind as .pt2; nobody may write there."""
    folder = tmp_path_factory.mktemp("pt2")
    for kind in get_args(Kind):
        export_model(trained, "pt2", kind, folder / f"{kind}.pt2", CPU)
    return folder


@pytest.mark.parametrize("kind", get_args(Kind))
def test_in_plain_torch(
    archives: Path, example: Callable[..., Any], assert_same: Callable[..., None], kind: Kind
) -> None:
    files = {"faceae.json": ""}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given buffer is not writable", UserWarning)
        module = torch.export.load(archives / f"{kind}.pt2", extra_files=files).module()
    assert json.loads(files["faceae.json"])["kind"] == kind
    for count in (1, 4, 64):
        inputs, expected = example(kind, count)
        with torch.inference_mode():
            assert_same(module(*map(torch.from_numpy, inputs.values())).numpy(), expected)


def test_session(
    archives: Path, example: Callable[..., Any], assert_same: Callable[..., None]
) -> None:
    inputs, expected = example("generator", 40)
    session = open_session(archives / "generator.pt2", CPU)
    assert session.engine.startswith("torch.export in torch")
    assert_same(session.run(*inputs.values()), expected)


def test_file_holds_no_trace_of_the_machine(archives: Path) -> None:
    for kind in get_args(Kind):
        with zipfile.ZipFile(archives / f"{kind}.pt2") as archive:
            content = b"".join(archive.read(record) for record in archive.namelist())
        for trace in (b"site-packages", b".py", str(Path.cwd()).encode(), b'stack_trace":'):
            assert trace not in content, (kind, trace)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_truncated_file(archives: Path, tmp_path: Path, kept: float) -> None:
    content = (archives / "decoder.pt2").read_bytes()
    (tmp_path / "decoder.pt2").write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(FaceaeError, match=r"decoder\.pt2: cut short or not a torch\.export"):
        open_session(tmp_path / "decoder.pt2", CPU)


def test_other_archive_is_refused_before_torch_loads_it(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.export, "load", lambda *_, **__: pytest.fail("torch loaded it"))
    (tmp_path / "decoder.pt2").write_bytes((exported / "decoder.ts").read_bytes())
    with pytest.raises(
        FaceaeError, match=r"decoder\.pt2: cut short or not a torch\.export archive"
    ):
        open_session(tmp_path / "decoder.pt2", CPU)


def test_graph_of_another_architecture(archives: Path, tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(archives / "encoder.pt2") as archive_in,
        zipfile.ZipFile(tmp_path / "changed.pt2", "w") as target,
    ):
        for record in archive_in.infolist():
            content = archive_in.read(record)
            if record.filename.endswith("faceae.json"):
                content = content.replace(b'\\"image_size\\": 32', b'\\"image_size\\": 64')
            target.writestr(record, content)
    with pytest.raises(FaceaeError, match=r"(?s)changed\.pt2: its graph is not that of the encod"):
        open_session(tmp_path / "changed.pt2", CPU)
