"""The commands of the container: what SageMaker runs in it."""

import json
import os
import signal
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from faceae.errors import FaceaeError

from ._options import list_options, parse_arguments
from ._places import base_folder, run_reported
from ._train import train

_MAX_PORT = 65535
_SDK_PREFIX = "sagemaker_"
"""Hyperparameters of SageMaker's SDK, which are meant for its toolkit."""


def run_command(argv: Sequence[str]) -> int:
    """Run `train`, `serve`, `process` or `evaluate`, and return the exit code.

    All paths are below /opt/ml, or below SAGEMAKER_BASE_DIR:

    - train: input/config/hyperparameters.json and input/data/CHANNEL become model/ and
      checkpoints/. With several GPUs it starts a process on each.
    - serve: serves model/, or what FACEAE_MODEL names, on port 8080. The limits are variables; see
      `faceae.serving.create_app_from_environment`.
    - process: processing/input becomes the dataset processing/dataset. Options are the fields of
      `faceae_shards.PackConfig`.
    - evaluate: measures processing/model on processing/dataset and writes processing/evaluation.
      Options are the fields of `faceae.evaluation.EvalConfig`, and `--samples N` for new faces.
    """
    name, *options = argv or ("",)
    if name == "serve" and not options:
        return run_reported("output/failure", _serve)
    if name == "train" and not options:
        return run_reported("output/failure", _start_training)
    if name in ("process", "evaluate"):
        signal.signal(signal.SIGTERM, _stop)  # process 1 ignores signals without a handler
        job = _process if name == "process" else _evaluate
        return run_reported("output/message", lambda: job(options))
    sys.stderr.write("usage: train | serve | process [OPTIONS] | evaluate [OPTIONS]\n")
    return 2


def list_pack_options() -> dict[str, Any]:
    """Return the types of all options of `process` by name."""
    from faceae_shards import PackConfig

    return list_options(PackConfig, ("source", "out", "executor", "address"))


def list_eval_options() -> dict[str, Any]:
    """Return the types of all options of `evaluate` by name."""
    from faceae.evaluation import EvalConfig

    return list_options(EvalConfig, (), {"samples": int})


def _start_training() -> int:
    import torch

    base = base_folder()
    settings = base / "input" / "config"
    hosts = _read_json(settings / "resourceconfig.json").get("hosts", ["algo-1"])
    if len(hosts) > 1:
        raise FaceaeError(f"training runs on one machine; the job has {len(hosts)}")
    os.environ.update(_describe_places(base, _read_json(settings / "inputdataconfig.json")))
    argv = _list_arguments(_read_json(settings / "hyperparameters.json"))
    num_gpus = torch.cuda.device_count()
    if num_gpus < 2:
        return train(argv)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    script = str(resources.files("faceae.sagemaker") / "scripts" / "train.py")
    os.execv(sys.executable, [*command, f"--nproc-per-node={num_gpus}", script, *argv])


def _describe_places(base: Path, channels: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that SageMaker's toolkit would set, as far as `train` reads them."""
    names = channels or {"training": None}
    folders = {f"SM_CHANNEL_{name.upper()}": base / "input" / "data" / name for name in names}
    folders["SM_MODEL_DIR"] = base / "model"
    return {name: str(path) for name, path in folders.items()}


def _list_arguments(hyperparameters: Mapping[str, str]) -> list[str]:
    """Return hyperparameters as arguments. SageMaker's SDK writes each value as JSON."""
    argv = []
    for name, text in hyperparameters.items():
        if not name.startswith(_SDK_PREFIX):
            argv += [f"--{name}", _unquote(text)]
    return argv


def _unquote(text: str) -> str:
    try:
        value = json.loads(text)
    except (TypeError, ValueError):
        return str(text)
    return str(value)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise FaceaeError(f"{path}: is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise FaceaeError(f"{path}: must hold an object")
    return value


def _serve() -> int:
    from faceae.serving import create_app_from_environment, open_socket, run_server

    model = os.environ.setdefault("FACEAE_MODEL", str(base_folder() / "model"))
    port = os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")
    if not port.isdecimal() or int(port) > _MAX_PORT:
        raise FaceaeError(f"the variable SAGEMAKER_BIND_TO_PORT must be a port, got {port!r}")
    app = create_app_from_environment()
    # A container's own network: only its publisher can reach the port.
    listener = open_socket(os.environ.get("FACEAE_HOST", "0.0.0.0"), int(port))
    sys.stderr.write(f"{model} at port {listener.getsockname()[1]}\n")
    run_server(app, listener)
    return 0


def _process(argv: Sequence[str]) -> int:
    import faceae

    options = parse_arguments(argv, list_pack_options())
    places = base_folder() / "processing"
    summary = faceae.pack(_find_source(places / "input"), places / "dataset", **options)
    counts = ", ".join(f"{count:,} {split}" for split, count in summary.num_samples.items())
    refused = sum(summary.num_rejected.values())
    sys.stdout.write(f"packed {counts}; {refused:,} refused\n")
    sys.stdout.writelines(f"{note}\n" for note in (*summary.notes, *summary.warnings))
    return 0


def _find_source(folder: Path) -> Path:
    """Return the only file of a folder, such as a zip, or else the folder."""
    if not folder.is_dir():
        raise FaceaeError(f"{folder}: does not exist; give the job an input of that path")
    entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_file() else folder


def _evaluate(argv: Sequence[str]) -> int:
    import faceae
    from faceae.evaluation import EvalConfig, evaluate_run
    from faceae.runs import read_run

    options = parse_arguments(argv, list_eval_options())
    samples = options.pop("samples", None)
    places = base_folder() / "processing"
    out = places / "evaluation"
    dataset = faceae.open_dataset(places / "dataset")
    config = EvalConfig(**options)
    with tempfile.TemporaryDirectory(prefix="faceae-") as folder:
        run = read_run(_unpack_model(places / "model", Path(folder)))
        out.mkdir(parents=True, exist_ok=True)
        score = evaluate_run(run, dataset, out / "evaluation.json", config).record.model
        sys.stdout.write(f"PSNR {score.psnr_db:.2f} dB, SSIM {score.ssim:.4f}\n")
        if samples is not None:
            _measure_samples(run, dataset, out / "samples.json", config, samples)
    return 0


def _measure_samples(run: Any, dataset: Any, out: Path, config: Any, samples: int) -> None:
    from faceae.evaluation.samples import SampleConfig, describe_quality, evaluate_samples

    options = SampleConfig(
        samples=samples,
        split=config.split,
        batch_size=config.batch_size,
        device=config.device,
        loader=config.loader,
    )
    record = evaluate_samples(run, dataset, out, options)
    sys.stdout.write(f"{describe_quality(record)}\n")


def _unpack_model(folder: Path, out: Path) -> Path:
    """Return a run's folder: processing jobs get the archive as it is, under its name on S3."""
    archive = next(iter(sorted(folder.glob("*.tar.gz"))), None)
    if archive is None:
        return folder
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(out, filter="data")
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise FaceaeError(f"{archive}: is damaged: {error}") from error
    return out


def _stop(number: int, frame: object) -> None:
    sys.exit(128 + number)
