"""Each verb suggests the next one, with a command that runs as it is pasted into a shell."""

import shlex
import shutil
from pathlib import Path

import pytest
import torch

import faceae_shards
from faceae.cli import run
from faceae.cli._outputs import propose_beside

README = Path(__file__).parents[3] / "README.md"
TINY = ["--epochs", "1", "--width", "4", "--latent-size", "8", "--batch-size", "8", "--no-amp"]


def next_of(err: str) -> list[str]:
    """The command that the last line suggests, without `faceae`."""
    last = err.splitlines()[-1]
    assert last.startswith("Next: faceae "), last
    return shlex.split(last.removeprefix("Next: "))[1:]


def test_from_drawn_faces_to_an_exported_generator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command but the first is the one before's suggestion. The folder's name needs quotes."""
    torch.set_num_threads(1)
    folder = tmp_path / "Anna's faces"
    folder.mkdir()
    argv = ["synth", str(folder / "drawn"), "--count", "40", "--workers", "1"]
    verbs = []
    for _ in range(6):
        # The suggested training is one of the default size.
        more = [*TINY, "--image-size", "32"] if argv[0] == "train" else []
        assert run([*argv, *more]) == 0
        verbs.append(argv[0])
        captured = capsys.readouterr()
        assert "Next:" not in captured.out
        argv = next_of(captured.err)
        if verbs[-1] == "shard":
            run_path = folder / "runs" / "a"
            assert argv[:4] == ["train", str(folder / "packed"), "--run", str(run_path)]
            readme = README.read_text("utf-8").replace("\\\n", " ")
            assert " ".join(argv[4:]) in " ".join(readme.split()), "README has the same recipe"
    assert verbs == ["synth", "shard", "train", "fit", "generate", "export"]
    assert argv[0] == "generate"
    assert Path(argv[1]).is_file()
    assert not Path(argv[2]).exists(), "proposes a new file"


def test_quiet_suggests_nothing(
    dataset_npy: faceae_shards.Dataset, fitted_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fit", "-q", str(fitted_run), str(dataset_npy.path)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "latents.safetensors" in captured.out


def test_directions_suggest_an_edit_of_a_drawn_face(
    attribute_run: Path,
    attribute_data: faceae_shards.Dataset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = shutil.copytree(attribute_run, tmp_path / "run")
    data = str(attribute_data.path)
    (copy / "latents.safetensors").unlink(missing_ok=True)
    assert run(["directions", str(copy), data]) == 0
    fit = next_of(capsys.readouterr().err)
    assert fit == ["fit", str(copy), data]
    assert run(fit) == 0
    capsys.readouterr()
    assert run(["directions", str(copy), data]) == 0
    edit = next_of(capsys.readouterr().err)
    assert edit[0] == "edit"
    assert run(edit) == 0
    assert Path(edit[2]).is_file()


def test_proposed_paths_are_new(tmp_path: Path) -> None:
    assert propose_beside(tmp_path / "packed", "faces.png") == tmp_path / "faces.png"
    (tmp_path / "faces.png").touch()
    assert propose_beside(tmp_path / "packed", "faces.png") == tmp_path / "faces-2.png"
    assert propose_beside("s3://bucket/packed", "no such run") == Path("no such run")
    (tmp_path / "runs" / "a").mkdir(parents=True)
    assert propose_beside(tmp_path / "packed", "runs/a") == tmp_path / "runs" / "a-2"
