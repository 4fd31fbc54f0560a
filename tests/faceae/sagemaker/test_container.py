"""The container's commands, as its Dockerfile names them, with /opt/ml in a folder of the test."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import faceae
import faceae_shards
from faceae.sagemaker import run_command

DOCKERFILE = Path(__file__).parents[3] / "export" / "container" / "Dockerfile"


def read_instruction(name: str) -> list[str]:
    """An exec-form instruction of the Dockerfile's last lines that have it."""
    lines = DOCKERFILE.read_text(encoding="utf-8").splitlines()
    (text,) = (line.partition(" ")[2] for line in lines if line.startswith(f"{name} ["))
    return json.loads(text)


def command_of(*arguments: str) -> list[str]:
    """What `docker run IMAGE ARGUMENTS` runs, with the tests' interpreter."""
    program, *options = read_instruction("ENTRYPOINT")
    assert program == "python"
    return [sys.executable, *options, *(arguments or read_instruction("CMD"))]


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of /opt/ml."""
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    for variable in ("SM_CHANNEL_TRAINING", "SM_MODEL_DIR", "FACEAE_MODEL", "FACEAE_API_KEY"):
        monkeypatch.setenv(variable, "")  # so that it is as before afterwards
        monkeypatch.delenv(variable)
    (tmp_path / "output").mkdir()
    return tmp_path


@pytest.fixture
def job(base: Path, dataset_npy: faceae_shards.Dataset, hyperparameters: list[str]) -> Path:
    """The base folder of a training job, with its values as SageMaker's SDK writes them: JSON."""
    config = base / "input" / "config"
    config.mkdir(parents=True)
    named = dict(zip(hyperparameters[::2], hyperparameters[1::2], strict=True))
    values = {name.removeprefix("--"): json.dumps(text) for name, text in named.items()}
    values |= {"epochs": "1", "amp": "false", "sagemaker_program": '"train.py"'}
    (config / "hyperparameters.json").write_text(json.dumps(values))
    (config / "inputdataconfig.json").write_text('{"training": {"S3InputMode": "File"}}')
    (config / "resourceconfig.json").write_text('{"current_host": "algo-1", "hosts": ["algo-1"]}')
    data = base / "input" / "data"
    data.mkdir(parents=True)
    (data / "training").symlink_to(dataset_npy.path)
    return base


@pytest.fixture
def port(model_dir: Path, base: Path) -> Iterator[int]:
    """The port of a container that serves, which SIGTERM must end in good order."""
    (base / "model").symlink_to(model_dir)
    environment = {**os.environ, "SAGEMAKER_BIND_TO_PORT": "0", "FACEAE_HOST": "127.0.0.1"}
    environment |= {"FACEAE_DEVICE": "cpu", "FACEAE_MAX_BATCH": "8"}
    with subprocess.Popen(
        command_of(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.fullmatch(r".* at port (\d+)\n", line)
            assert found, line + process.stderr.read()
            yield int(found[1])
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=30)
            assert (process.returncode, err) == (0, "")
            assert json.loads(out.splitlines()[-1])["task"] == "generate"
        finally:
            process.kill()


def test_serve(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(method: str, path: str) -> tuple[int, bytes]:
        connection.request(method, path)
        reply = connection.getresponse()
        return reply.status, reply.read()

    while ask("GET", "/ping")[0] == 503:
        time.sleep(0.05)
    status, content = ask("POST", "/invocations?count=2")
    assert (status, len(json.loads(content)["faces"])) == (200, 2)
    connection.close()


def test_serve_without_a_model(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["serve"]) == 1
    assert str(base / "model") in capsys.readouterr().err
    assert str(base / "model") in (base / "output" / "failure").read_text()


def test_train(job: Path) -> None:
    done = subprocess.run(command_of("train"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (job / "checkpoints" / "run" / "run.json").is_file()
    assert faceae.load(job / "model", device="cpu").generate(1).shape == (1, 32, 32, 3)
    assert not (job / "output" / "failure").exists()


def test_a_job_that_fails_says_why(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (job / "input" / "config" / "hyperparameters.json").write_text('{"batch-size": "many"}')
    assert run_command(["train"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"faceae: error: {(job / 'output' / 'failure').read_text()}"
    assert "`batch_size`" in line


def test_training_on_two_machines(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (job / "input" / "config" / "resourceconfig.json").write_text('{"hosts": ["a", "b"]}')
    assert run_command(["train"]) == 1
    assert "one machine" in capsys.readouterr().err


def test_several_gpus_get_a_process_each(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def start(path: str, argv: list[str]) -> None:
        started.extend(argv)
        raise SystemExit

    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    monkeypatch.setattr("os.execv", start)
    with pytest.raises(SystemExit):
        run_command(["train"])
    assert started[1:4] == ["-m", "torch.distributed.run", "--standalone"]
    assert "--nproc-per-node=4" in started
    script = next(each for each in started if each.endswith("train.py"))
    assert Path(script).is_file()
    assert started[started.index("--epochs") + 1] == "1"


def test_process_then_evaluate(base: Path, face_folder: Path, archive: Path) -> None:
    places = base / "processing"
    places.mkdir()
    (places / "input").symlink_to(face_folder)
    (places / "dataset").mkdir()  # SageMaker creates the folder of an output
    options = ["--size", "32", "--split", "0.5,0.25,0.25", "--workers", "1"]
    assert subprocess.run(command_of("process", *options), check=False).returncode == 0
    dataset = faceae_shards.open_dataset(places / "dataset")
    assert dataset.num_samples("train") == 24
    (places / "model").mkdir()
    (places / "model" / "model.tar.gz").symlink_to(archive)
    assert run_command(["evaluate", "--device", "cpu", "--pca", "False"]) == 0
    figures = json.loads((places / "evaluation" / "evaluation.json").read_text())
    assert (figures["split"], figures["num_images"]) == ("test", 12)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["process", "--size", "32"], "processing"),
        (["process", "--split", "a,b"], "`split`"),
        (["process", "--source", "x"], "`source`"),
        (["evaluate", "--split", "test"], "dataset"),
    ],
)
def test_jobs_that_cannot_be_done(
    base: Path, argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(argv) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert (base / "output" / "message").read_text() in line


@pytest.mark.parametrize("argv", [[], ["deploy"], ["serve", "--port", "1"]])
def test_wrong_usage(argv: list[str]) -> None:
    assert run_command(argv) == 2
