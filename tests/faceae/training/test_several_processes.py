"""Several processes, started by torchrun, on the CPU."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

import faceae_shards
from faceae.data import Loader, LoaderConfig, make_loader
from faceae.distributed import Ranks, open_ranks
from faceae.errors import FaceaeError
from faceae.model import (
    FaceAutoEncoder,
    ModelConfig,
    load_model,
    start_from_components,
    weights_hash,
)
from faceae.training import TrainConfig, resume, validate
from faceae.training.step import TrainState, make_train_state, train_step

CPU = torch.device("cpu")
FINAL = Path("checkpoints", "epoch-0004", "model.safetensors")

WORKER = """
import json, os, signal, sys
from pathlib import Path
import torch
from faceae.errors import FaceaeError
from faceae.training import TrainConfig, _context, _trainer, resume, train

torch.set_num_threads(1)
fields, at_step, number = json.loads(sys.argv[1])
config = TrainConfig(**fields | {"data": Path(fields["data"]), "run": Path(fields["run"])})
real_step = _trainer.train_step

def train_step(train_state, step, images):
    if step + 1 == at_step and os.environ["RANK"] == "1":
        os.kill(os.getpid(), number)
    return real_step(train_state, step, images)

_trainer.train_step = train_step
real_open = _context._open_loader

def open_loader(*args, **options):
    if at_step < 0 and os.environ["RANK"] == "1":
        raise FaceaeError("its disk is not there")
    return real_open(*args, **options)

_context._open_loader = open_loader
goes_on = (config.run / "run.json").exists()
result = resume(config.run, config.data, {}) if goes_on else train(config)
line = f"rank {os.environ['RANK']} step {result.position.step} by {result.stopped_by}"
os.write(1, line.encode() + b"\\n")  # whole, whatever the other process writes
"""

RIVAL = """
import json, os, sys
from pathlib import Path
import torch
from faceae.training import TrainConfig, _trainer, train

torch.set_num_threads(1)
fields, *_ = json.loads(sys.argv[1])
config = TrainConfig(**fields | {"data": Path(fields["data"]), "run": Path(fields["run"])})
real_step, rank = _trainer.train_step, int(os.environ["RANK"])

def train_step(train_state, step, images):
    global adversary
    adversary = train_state.adversary
    losses = real_step(train_state, step, images)
    adversary.accuracy.fill_((0.99, 0.9)[rank])
    return losses

_trainer.train_step = train_step
train(config)
os.write(1, f"rank {rank} rate {adversary.rate}".encode() + b"\\n")
"""
"""The discriminator wins in the first process and not in the second."""


def launch(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a module in two processes."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.run(
        [*launcher, "--nproc-per-node", "2", "--monitor-interval", "0.1", *command],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def launch_training(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Train or resume in two processes; before one step the second sends itself a signal."""
    script = tmp_path / "worker.py"

    def run(config: TrainConfig, at_step: int = 0, number: int = 0, worker: str = WORKER) -> Any:
        script.write_text(worker)
        fields = asdict(config) | {"data": str(config.data), "run": str(config.run)}
        return launch(str(script), json.dumps([fields, at_step, number]))

    return run


@pytest.fixture(scope="module")
def odd(face_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> faceae_shards.Dataset:
    """27 pictures to train on in shards of 8, 8, 8 and 3; 13 to validate."""
    folder = tmp_path_factory.mktemp("odd")
    names = sorted(face_folder.rglob("*.jpg"))
    (folder / "photos").mkdir()
    for number, name in enumerate(names[:41]):
        (folder / "photos" / f"{number:02}.jpg").write_bytes(name.read_bytes())
    config = faceae_shards.PackConfig(
        source=folder / "photos",
        out=folder / "packed",
        size=32,
        encoding="npy",
        samples_per_shard=8,
        split=(0.66, 0.32, 0.02),
        workers=1,
    )
    faceae_shards.pack(config)
    return faceae_shards.open_dataset(folder / "packed")


@pytest.fixture
def joint(config: TrainConfig, odd: faceae_shards.Dataset) -> TrainConfig:
    """Four epochs of three steps; each leaves three pictures out."""
    changes = {"data": odd.path, "log_steps": 1, "epochs": 4, "lr": 1e-2}
    return replace(config, sync_batchnorm=True, cache="none", **changes)


def open_loader(dataset: faceae_shards.Dataset, split: str, **options: Any) -> Loader:
    config = LoaderConfig(
        split=split, image_size=32, training=split == "train", **options, num_threads=1
    )
    return make_loader("webdataset", dataset, config, CPU)


def joint_batches(dataset: faceae_shards.Dataset) -> Iterator[torch.Tensor]:
    """Epochs of eights without end: what two processes see of them, put together."""
    halves = [open_loader(dataset, "train", batch_size=4, rank=r, world_size=2) for r in (0, 1)]
    with closing(halves[0]), closing(halves[1]):
        while True:
            for batches in zip(*halves, strict=True):
                yield torch.cat([batch.images for batch in batches])


def learn_alone(
    config: TrainConfig,
    dataset: faceae_shards.Dataset,
    start: Callable[[FaceAutoEncoder], object] = lambda model: None,
) -> tuple[TrainState, list[float]]:
    """Train in this process on the joint batches; return the state and the loss of each step."""
    total_steps = 3 * config.epochs
    torch.manual_seed(config.seed)
    model_config = ModelConfig(image_size=32, latent_size=16, width=4)
    train_state = make_train_state(
        model_config,
        config,
        device=CPU,
        amp_dtype=None,
        total_steps=total_steps,
        ranks=Ranks(),
    )
    start(train_state.model)
    batches = enumerate(islice(joint_batches(dataset), total_steps))
    expected = [train_step(train_state, step, images).loss.item() for step, images in batches]
    return train_state, expected


def test_two_processes_learn_as_one_with_the_joint_batch(
    joint: TrainConfig,
    odd: faceae_shards.Dataset,
    launch_training: Callable[..., Any],
    read_metrics: Any,
    tmp_path: Path,
) -> None:
    """With BatchNorm over all of them; also a signal to one, and going on, change nothing."""
    assert odd.num_samples("train") % 2 == odd.num_samples("valid") % 2 == 1
    process = launch_training(joint)
    assert process.returncode == 0, process.stderr
    lines = read_metrics(joint.run)
    losses = [line["loss"] for line in lines if "loss" in line]

    train_state, expected = learn_alone(joint, odd)
    assert losses == pytest.approx(expected, rel=1e-4)
    assert min(losses) < 0.95 * losses[0]

    saved = load_model(joint.run / FINAL, CPU)
    for name, tensor in train_state.model.state_dict().items():
        torch.testing.assert_close(saved.state_dict()[name], tensor, rtol=1e-3, atol=1e-5)
    with closing(open_loader(odd, "valid", batch_size=13)) as held_out:
        every_image_once = validate(saved, held_out, CPU)
    psnrs = [line["valid_psnr_db"] for line in lines if "valid_psnr_db" in line]
    assert psnrs[-1] == pytest.approx(every_image_once.psnr_db, abs=1e-5)

    stopped = replace(joint, run=tmp_path / "stopped")
    process = launch_training(stopped, at_step=2, number=15)
    assert process.returncode == 0, process.stderr
    # The other hears of it one step later, and both stop there.
    assert "rank 0 step 3 by 15" in process.stdout
    assert "rank 1 step 3 by 15" in process.stdout
    names = [path.name for path in (stopped.run / "checkpoints").iterdir()]
    process = launch_training(stopped)
    assert process.returncode == 0, process.stderr
    assert names == ["epoch-0000-step-00000003"]
    assert (stopped.run / FINAL).read_bytes() == (joint.run / FINAL).read_bytes()


def test_two_processes_start_from_the_same_components(
    joint: TrainConfig,
    odd: faceae_shards.Dataset,
    launch_training: Callable[..., Any],
    read_metrics: Any,
) -> None:
    """BatchNorm keeps its statistics there, so nothing need be synchronised."""
    joint = replace(joint, sync_batchnorm=False, init="components", lr=1e-3, epochs=1)
    process = launch_training(joint)
    assert process.returncode == 0, process.stderr
    losses = [line["loss"] for line in read_metrics(joint.run) if "loss" in line]

    def start(model: FaceAutoEncoder) -> None:
        config = LoaderConfig(split="train", batch_size=8, image_size=32, training=False)
        with closing(make_loader("webdataset", odd, config, CPU)) as loader:
            batches = [batch.images[: batch.num_valid].clone() for batch in loader]
        assert start_from_components(model, batches) > 0

    _, expected = learn_alone(joint, odd, start)
    assert losses == pytest.approx(expected, rel=1e-3)


def test_adversaries_in_two_processes_go_on_where_they_stopped(
    joint: TrainConfig, launch_training: Any
) -> None:
    """Both networks are distributed. A signal before step 6 stops after it or a step later."""
    config = replace(joint, model="adversarial", lr=1e-4)
    unstopped = replace(config, run=config.run.with_name("unstopped"))
    finished = launch_training(unstopped)
    assert finished.returncode == 0, finished.stderr
    stopped = launch_training(config, 6, signal.SIGTERM)
    assert "by SIGTERM" in stopped.stdout or "by 15" in stopped.stdout, stopped.stderr
    resumed = launch_training(config)
    assert resumed.returncode == 0, resumed.stderr
    hashes = [weights_hash(load_model(c.run / FINAL, CPU)) for c in (config, unstopped)]
    assert hashes[0] == hashes[1]


def test_discriminator_learns_equally_fast_in_two_processes(
    joint: TrainConfig, launch_training: Any
) -> None:
    """Each sees other faces, so that one may see it win and the other not."""
    process = launch_training(replace(joint, model="adversarial", lr=1e-4), worker=RIVAL)
    assert process.returncode == 0, process.stderr
    assert "rank 0 rate 0.0625" in process.stdout
    assert "rank 1 rate 0.0625" in process.stdout


def test_parts_of_two_processes_are_those_of_one(
    joint: TrainConfig,
    odd: faceae_shards.Dataset,
    launch_training: Callable[..., Any],
    read_metrics: Any,
) -> None:
    """Where each part of two faces has its own BatchNorm statistics, who computes it is all one."""
    joint = replace(joint, sync_batchnorm=False, accumulate=2, clip_norm=0.05)
    process = launch_training(joint)
    assert process.returncode == 0, process.stderr
    losses = [line["loss"] for line in read_metrics(joint.run) if "loss" in line]
    _, expected = learn_alone(replace(joint, accumulate=4), odd)
    assert losses == pytest.approx(expected, rel=1e-4)


def test_error_of_one_ends_the_other_before_anything_is_written(
    config: TrainConfig, launch_training: Callable[..., Any]
) -> None:
    process = launch_training(config, at_step=-1)
    assert process.returncode != 0
    assert "FaceaeError: its disk is not there" in process.stderr
    assert process.stderr.count("FaceaeError: ") == 1
    assert not config.run.exists()


def test_killed_process_ends_the_others_and_fewer_go_on_from_the_epochs_end(
    joint: TrainConfig, launch_training: Callable[..., Any], read_metrics: Any
) -> None:
    joint = replace(joint, sync_batchnorm=False, checkpoint_minutes=1e-9)
    process = launch_training(joint, at_step=6, number=9)
    assert process.returncode != 0
    assert "rank 0 of 2: another process has ended" in process.stderr
    with pytest.raises(
        FaceaeError,
        match=r"step-00000005: written by 2 processes, .* are 1; .*`restart_epoch=True`",
    ):
        resume(joint.run, joint.data, {})
    result = resume(joint.run, joint.data, {}, restart_epoch=True)
    assert (result.position.step, result.position.epoch) == (12, 4)
    steps = [line["step"] for line in read_metrics(joint.run) if "loss" in line]
    assert steps == list(range(1, 13))


def test_error_of_all_is_told_once(config: TrainConfig) -> None:
    config.run.mkdir()
    (config.run / "thesis.tex").touch()
    command = ["train", str(config.data), "--run", str(config.run), "--device", "cpu"]
    process = launch("-m", "--", "faceae", *command)
    assert process.returncode != 0
    assert process.stderr.count("faceae: error:") == 1
    assert "is not empty; give a new folder" in process.stderr
    assert "Traceback" not in process.stderr.split("faceae: error:")[1].split("torch/")[0]


def test_other_processes_that_cannot_be_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    message = r"WORLD_SIZE is 2, but .* start them with torchrun"
    with pytest.raises(FaceaeError, match=message), open_ranks():
        raise AssertionError("alone")
