"""faceae export."""

import json
import shutil
from pathlib import Path

import click
import numpy as np
import onnx
import pytest
import torch

import faceae_shards
from faceae.cli import _export, run
from faceae.latent import latent_noise
from faceae.model import load_model, save_model
from faceae_export import open_session
from faceae_export.formats import FORMATS

CPU = torch.device("cpu")


@pytest.fixture
def unfitted_run(fitted_run: Path, tmp_path: Path) -> Path:
    path = tmp_path / "run"
    shutil.copytree(fitted_run, path)
    (path / "latents.safetensors").unlink()
    return path


def test_exported_decoder_is_the_runs(
    fitted_run: Path, exported: Path, dataset_npy: faceae_shards.Dataset
) -> None:
    session = open_session(exported / "decoder.onnx", CPU)
    assert session.info.dataset_hash == dataset_npy.hash
    z_NZ = latent_noise(0, 0, 3, 16)
    model = load_model(fitted_run / "model.safetensors", CPU)
    with torch.inference_mode():
        expected = model.decode(torch.from_numpy(z_NZ)).numpy()
    np.testing.assert_allclose(session.run(z_NZ), expected, atol=1e-4)


def test_decoder_needs_no_fit_and_is_the_default(
    unfitted_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "d.pt"
    assert run(["export", "torchscript", str(unfitted_run), str(out)]) == 0
    assert open_session(out, CPU).info.kind == "decoder"
    text = capsys.readouterr().out
    assert "d.pt: decoder, " in text
    assert "in   latents: N x 16 float32" in text
    assert "out  faces: N x 3 x 32 x 32 float32, [-1, 1], RGB" in text
    assert "checked on 72 fresh inputs in TorchScript" in text
    assert f"see {out}.json" in text


def test_every_format_has_its_command_with_its_options() -> None:
    assert set(_export.command.commands) == {*FORMATS, "sagemaker", "web"}
    for name, form in FORMATS.items():
        choices = {
            parameter.name: parameter.type.choices
            for parameter in _export.command.commands[name].params
            if isinstance(parameter.type, click.Choice)
        }
        assert tuple(choices.get("kind", ["decoder"])) == form.kinds
        assert tuple(choices.get("precision", ["fp32"])) == form.precisions


def test_precision_tells_what_it_gains(
    unfitted_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "e.ts"
    argv = ["export", "torchscript", str(unfitted_run), "--part", "encoder", str(out)]
    assert run([*argv, "--precision", "bf16"]) == 0
    report = json.loads((tmp_path / "e.ts.json").read_text())
    line = capsys.readouterr().out.splitlines()[-1]
    assert f"bf16: {report['psnr_db']:.1f} dB PSNR against fp32; " in line
    assert f"{report['speedup_over_fp32']:.2f} times the speed" in line
    assert ("nothing is gained but the size" in line) is (report["speedup_over_fp32"] < 1.1)
    assert run([*argv, "--precision", "int4"]) == 2


def test_web_refuses_before_it_writes(
    fitted_run: Path, unfitted_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tarball = tmp_path / "other.tgz"
    tarball.write_bytes(b"")
    for run_path, out, message in (
        (unfitted_run, tmp_path / "page", "`faceae fit RUN DATA` writes it"),
        (fitted_run, tmp_path, f"{tmp_path}: exists already"),
        (fitted_run, tmp_path / "no" / "page", "there is no folder"),
        (
            fitted_run,
            tmp_path / "page",
            "other.tgz: ",
        ),
    ):
        argv = ["export", "web", str(run_path), str(out), "--onnxruntime-web", str(tarball)]
        assert run(argv) == 1
        assert message in capsys.readouterr().err
    assert not (tmp_path / "page").exists()
    argv = ["export", "web", str(fitted_run), str(tmp_path / "page"), "--precision", "fp32"]
    assert run(argv) == 2


def test_repository_is_a_folder(unfitted_run: Path, tmp_path: Path) -> None:
    argv = ["export", "triton", str(unfitted_run), "--part", "encoder", str(tmp_path / "r")]
    assert run(argv) == 0
    assert (tmp_path / "r" / "encoder" / "config.pbtxt").read_text().startswith('name: "encoder"')
    assert json.loads((tmp_path / "r.json").read_text())["format"] == "triton"


def test_no_rewrite(unfitted_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, rewritten in ([], True), (["--no-rewrite"], False):
        out = tmp_path / "d.ts"
        assert run(["export", "torchscript", str(unfitted_run), str(out), *options]) == 0
        assert json.loads((tmp_path / "d.ts.json").read_text())["rewritten"] is rewritten
        assert ("MB, rewritten" in capsys.readouterr().out) is rewritten


def test_folder_where_the_report_must_go(
    unfitted_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d.ts.json").mkdir()
    argv = ["export", "torchscript", str(unfitted_run), str(tmp_path / "d.ts")]
    assert run(argv) == 1
    assert "d.ts.json: is a folder" in capsys.readouterr().err


def test_generator_needs_fit(
    unfitted_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["export", "onnx", str(unfitted_run), str(tmp_path / "g.onnx")]
    assert run([*argv, "--part", "generator"]) == 1
    assert "latents.safetensors: no such file" in capsys.readouterr().err
    assert not (tmp_path / "g.onnx").exists()


def test_retrained_weights_need_a_new_fit(
    fitted_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    shutil.copytree(fitted_run, path)
    model = load_model(path / "model.safetensors", CPU)
    torch.nn.init.zeros_(model.get_parameter("decoder.0.weight"))
    save_model(model, path / "model.safetensors")
    argv = ["export", "onnx", str(path), str(tmp_path / "g.onnx"), "--part", "generator"]
    assert run(argv) == 1
    message = capsys.readouterr().err
    assert "latents.safetensors: " in message
    assert "`faceae fit`" in message


def test_exported_file_names_no_folder_of_the_run(fitted_run: Path, exported: Path) -> None:
    model = onnx.load(exported / "generator.onnx")
    texts = [entry.value for entry in model.metadata_props] + [model.doc_string]
    assert not any(str(fitted_run.parent) in text for text in texts)
    for path in exported.glob("*.json"):
        assert str(fitted_run.parent) not in path.read_text()


def test_bad_input(fitted_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = str(fitted_run)
    for argv, message in (
        (["onnx", str(tmp_path / "no"), str(tmp_path / "d.onnx")], "not a training run"),
        (["onnx", good, str(tmp_path / "d.ts")], "d.ts: the file name must end in .onnx"),
        (["torchscript", good, str(tmp_path / "d.onnx")], "must end in .ts or .pt"),
        (["onnx", good, str(tmp_path / "no" / "d.onnx")], "there is no folder"),
        (["triton", good, str(tmp_path / "no" / "d")], "there is no folder"),
        (["triton", good, str(tmp_path)], f"{tmp_path}: exists already"),
        (["onnx", good, str(tmp_path)], f"{tmp_path}: is a folder"),
    ):
        assert run(["export", *argv]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    assert list(tmp_path.iterdir()) == []
    assert run(["export", "onnx", good]) == 2
    assert run(["export", "tensorflow", good]) == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_cuda_without_a_gpu(
    fitted_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["export", "onnx", str(fitted_run), str(tmp_path / "d.onnx"), "--device", "cuda"]
    assert run(argv) == 1
    assert "--device cuda" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
