"""Options from a TOML file: which win, and each kind of wrong file; shell completion."""

from pathlib import Path

import click
import pytest

from faceae.cli import run
from faceae.cli._command import option, verb
from faceae.cli._failure import Failure
from faceae.errors import FaceaeError
from faceae.runs import read_run
from faceae_shards import Dataset


@verb()
@click.argument("data", required=False)
@option("--batch-size", type=int, default=64, help="Faces.")
@option("--lr", type=float, help="Rate.")
@option("--amp/--no-amp", default=True, help="Lower precision.")
@option("--loader", "loader_kind", type=click.Choice(["dali", "webdataset"]), help="Library.")
@option("--set", "strengths", multiple=True, help="Changes.")
@option("--from", "folders", type=(str, str), help="Two folders.")
@option("-o", "--out", type=click.Path(path_type=Path), required=True, help="File.")
def command(**options: object) -> dict[str, object]:
    """Return the options."""
    if options["lr"] == 0:
        raise FaceaeError("`lr` must not be 0; give `lr=0.1`")
    return options


def call(file: Path, *arguments: str) -> dict[str, object]:
    result: dict[str, object] = command.main(
        ["--config", str(file), *arguments], standalone_mode=False
    )
    return result


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "Größe 64.toml"


def test_values_of_every_kind(file: Path) -> None:
    file.write_text(
        "\ufeff# Unicode: é\nversion = 1\nbatch-size = 8\nlr = 1e-05\namp = false\n"
        'out = "ä/x.png"\nloader = "dali"\nset = ["Smiling=2", "Young=-1"]\nfrom = ["a b", "c"]\n',
        encoding="utf-8",
    )
    assert call(file) == {
        "data": None,
        "batch_size": 8,
        "lr": 1e-5,
        "amp": False,
        "loader_kind": "dali",
        "strengths": ("Smiling=2", "Young=-1"),
        "folders": ("a b", "c"),
        "out": Path("ä/x.png"),
    }


def test_the_command_line_wins(file: Path) -> None:
    file.write_text('batch_size = 8\namp = false\nset = ["a"]\nout = "a"')
    options = call(file, "--batch-size", "9", "--amp", "--set", "b", "-o", "c")
    assert options["batch_size"] == 9
    assert options["amp"] is True
    assert options["strengths"] == ("b",)
    assert options["out"] == Path("c")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batch_sise = 8", "batch_sise. Did you mean batch_size?"),
        ("momentum = 8", " --help` lists the options"),
        ("config = 'a'", "unknown key config"),
        ("help = true", "unknown key help"),
        ("loader_kind = 'dali'", "loader_kind. Did you mean loader?"),
        ("data = 'a'", "DATA on the command line"),
        ("[train]\nlr = 1", "train is a table"),
        ("batch_size = 1\nbatch-size = 1", "given twice"),
        ("version = 2", "version is 2; this faceae reads options of version 1"),
        ("version = true", "version is True"),
        ("batch_size = 8.5", "batch_size: '8.5'"),
        ("batch_size = 'many'", "batch_size: 'many'"),
        ("batch_size = true", "batch_size: must be a number or a text"),
        ("batch_size = [8]", "batch_size: must be a number or a text"),
        ("lr = 2026-01-01", "lr: must be a number or a text"),
        ("amp = 'yes'", "amp: must be true or false"),
        ("loader = 'torch'", "loader: 'torch' is not one of"),
        ("set = 'a'", "set: must be a list such as ['a']"),
        ("from = ['a']", "from: 2 values"),
        ("lr = ", "not TOML"),
        ("lr = " + "[" * 5000, "not TOML"),
    ],
)
def test_wrong_file_is_named_in_one_line(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(Failure) as info:
        call(file, "-o", "x")
    assert info.value.message.startswith(f"{file}: ")
    assert message in info.value.message
    assert "\n" not in info.value.message


def test_file_that_is_no_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Failure, match="not TOML, which is UTF-8"):
        call(file)


def test_value_that_a_library_refuses_is_named_with_its_file(file: Path) -> None:
    file.write_text("lr = 0")
    with pytest.raises(Failure) as info:
        call(file, "-o", "x")
    assert info.value.message == f"lr in {file} must not be 0; give --lr 0.1"
    with pytest.raises(Failure, match="--lr must not be 0"):
        call(file, "-o", "x", "--lr", "0.0")


@pytest.mark.parametrize(
    "verb_name", ["info", "doctor", "train", "export onnx", "export sagemaker", "serve"]
)
def test_every_verb_reads_a_file(
    tmp_path: Path, verb_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (tmp_path / "missing.toml", tmp_path):
        assert run([*verb_name.split(), "--config", str(path)]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"faceae: error: {path}: ")
        assert error.count("\n") == 1


def test_run_toml_gives_the_same_training_again(
    dataset_npy: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It holds what the run chose, so that other defaults do not matter."""
    first, again = tmp_path / "first", tmp_path / "again"
    options = ["--epochs", "1", "--batch-size", "8", "--latent-size", "16", "--width", "4"]
    options += ["--device", "cpu", "--seed", "5", "--init", "random", "--model", "variational"]
    assert run(["train", str(dataset_npy.path), "--run", str(first), *options]) == 0
    repeat = ["train", str(dataset_npy.path), "--config", str(first / "run.toml")]
    assert run([*repeat, "--run", str(again)]) == 0
    for name in ("run.toml", "model.safetensors"):
        assert (again / name).read_bytes() == (first / name).read_bytes()
    assert read_run(again).config.lr == read_run(first).config.peak_lr
    capsys.readouterr()
    assert run([*repeat, "--run", str(first), "--resume"]) == 0
    assert "already finished" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("faceae tra", "train"),
        ("faceae train --batch", "--batch-size"),
        ("faceae train --config missing.toml --model var", "variational"),
        ("faceae export onnx run out --part gen", "generator"),
    ],
)
def test_shell_completion(
    words: str,
    completed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("_FACEAE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    with pytest.raises(SystemExit):
        run([])
    assert capsys.readouterr().out == f"plain,{completed}\n"
