"""What does faceae gain at each stage against the system of the usual article?

Peer: `benchmarks/peers/article.py`, plain PyTorch from loose JPEGs to new faces, with the same
network, photographs, training split and number of epochs.

Work: PHOTOS, a folder with one folder for each person, cut to its centre and scaled to 64x64. Every
stage runs in a process of its own, ours and the article's in turns; times exclude imports, memory
includes them and all processes. Quality is that of `faceae eval`: PSNR on the validation split, and
the Fréchet distance of new faces to training photographs, divided by that of held-out photographs.
The article packs nothing; our packing is compared with one of its epochs of loading. What a damaged
photograph and a killed training do is tried with both.
"""

import argparse
import json
import logging
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import faceae
from benchmarks import runner
from benchmarks.peers import article
from benchmarks.shared import isolated, stages
from benchmarks.tables import TABLES
from benchmarks.time_to_quality import list_training_photographs, open_loader
from faceae.evaluation.samples import measure_samples
from faceae.model import FaceAutoEncoder
from faceae.runs import open_run, read_history, read_run
from faceae.training import validate

log = logging.getLogger(__name__)

SIZE = 64
OURS, ARTICLE = "faceae", "article"
_WAIT_S = 600.0
CPU = torch.device("cpu")
Runs = dict[str, list[isolated.IsolatedRun]]


def main() -> None:
    """Measure, write results/article.json and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="photographs, with a folder for each person")
    parser.add_argument("--crop", type=int, default=144, help="side of the centre square, pixels")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--width", type=int, default=64, help="channels of the first layer")
    parser.add_argument("--count", type=int, default=2000, help="new faces")
    parser.add_argument("--rounds", type=int, default=3, help="of all stages but training")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        runs = run_stages(folder, options)
        findings = {
            "stages": summarise(runs),
            "quality": measure_quality(folder, options.width),
            "damaged_photograph": try_damaged(folder, options),
            "kill": try_kill(folder, options),
        }
    settings = {name: value for name, value in vars(options).items() if name != "photos"}
    settings["threads"] = torch.get_num_threads()
    runner.save("article", [], settings, findings)
    print(TABLES["article"](findings))


def run_stages(folder: Path, options: argparse.Namespace) -> dict[str, Runs]:
    """Return the runs of each stage by contender; training runs once."""
    runs: dict[str, Runs] = defaultdict(lambda: defaultdict(list))
    data, run, listed = folder / "data", folder / "run", folder / "train.txt"
    weights, moments = str(folder / "weights.pth"), str(folder / "moments.pth")
    fitted = {"crop": options.crop, "size": SIZE}

    def measure(stage: str, who: str, prepare: Callable[..., Any], **arguments: Any) -> None:
        log.info("%s: %s", stage, who)
        runs[stage][who].append(isolated.run(prepare, **arguments))

    for number in range(options.rounds):
        shutil.rmtree(data, ignore_errors=True)
        measure(
            "pack", OURS, stages.prepare_pack, photos=str(options.photos), out=str(data), **fitted
        )
        if number == 0:
            paths = list_training_photographs(faceae.open_dataset(data), options.photos)
            listed.write_text("".join(f"{path}\n" for path in paths))
        measure("load", OURS, stages.prepare_load, data=str(data), size=SIZE)
        measure("load", ARTICLE, article.prepare_load, listed=str(listed), **fitted)
    runs["pack"][ARTICLE] = runs["load"][ARTICLE]
    learn = {"width": options.width, "epochs": options.epochs}
    measure("train", OURS, stages.prepare_train, data=str(data), run=str(run), **learn)
    measure(
        "train", ARTICLE, article.prepare_train, listed=str(listed), out=weights, **fitted, **learn
    )
    drawn = {"count": options.count}
    known = {"width": options.width, "weights": weights}
    for _ in range(options.rounds):
        measure("fit", OURS, stages.prepare_fit, data=str(data), run=str(run))
        measure(
            "fit", ARTICLE, article.prepare_fit, listed=str(listed), out=moments, **fitted, **known
        )
        out = str(folder / "ours.npy")
        measure("sample", OURS, stages.prepare_sample, run=str(run), out=out, **drawn)
        out = str(folder / "article.npy")
        measure(
            "sample", ARTICLE, article.prepare_sample, moments=moments, out=out, **known, **drawn
        )
    return runs


def summarise(runs: dict[str, Runs]) -> dict[str, Any]:
    """Return ratios of speed, with the lowest and highest round, and peak memory."""
    found = {}
    for stage, by_name in runs.items():
        ratios = [
            theirs.seconds / ours.seconds
            for ours, theirs in zip(by_name[OURS], by_name[ARTICLE], strict=True)
        ]
        found[stage] = {
            "speed": statistics.median(ratios),
            "speed_low": min(ratios),
            "speed_high": max(ratios),
            "seconds": {name: [run.seconds for run in each] for name, each in by_name.items()},
            "peak_mib": {name: max(run.peak_mib for run in each) for name, each in by_name.items()},
        }
    return found


def measure_quality(folder: Path, width: int) -> dict[str, Any]:
    """Return PSNR on the validation split and distances of new faces, by contender."""
    dataset = faceae.open_dataset(folder / "data")
    models = {
        OURS: open_run(folder / "run").model,
        ARTICLE: article.load_model(str(folder / "weights.pth"), width),
    }
    held_out, train = (_load(dataset, split) for split in ("valid", "train"))
    floor = measure_samples(held_out, held_out, train).frechet_distance
    quality: dict[str, Any] = {"photographs": {"frechet_distance": floor}}
    for name, model in models.items():
        drawn = np.load(folder / ("ours.npy" if name == OURS else "article.npy"))
        measured = measure_samples(drawn, held_out, train)
        quality[name] = {
            "psnr_db": _psnr(model, dataset),
            "frechet_distance": measured.frechet_distance,
            "against_photographs": measured.frechet_distance / floor,
            "coverage": measured.coverage,
            "sharpness": measured.sharpness,
        }
    return quality


def _psnr(model: FaceAutoEncoder, dataset: Any) -> float:
    with closing(open_loader(dataset, "valid")) as loader:
        return float(validate(model, loader, CPU).psnr_db)


def _load(dataset: Any, split: str) -> NDArray[np.uint8]:
    with closing(open_loader(dataset, split)) as loader:
        batches = [images[:count].permute(0, 2, 3, 1).numpy() for images, count in loader]
    return np.concatenate(batches)


def try_damaged(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Cut one of some photographs in half, and return what each system does."""
    damaged = folder / "damaged" / "person"
    damaged.mkdir(parents=True)
    for path in (folder / "train.txt").read_text().splitlines()[:128]:
        shutil.copy(path, damaged / f"{len(list(damaged.iterdir())):04}.jpg")
    victim = damaged / "0003.jpg"
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    out = folder / "damaged-out"
    summary = faceae.pack(damaged.parent, out, crop=options.crop, size=SIZE, encoding="npy")
    rejected = (out / "rejected.jsonl").read_text(encoding="utf-8")
    listed = folder / "damaged.txt"
    listed.write_text("".join(f"{path}\n" for path in sorted(damaged.iterdir())))
    try:
        isolated.run(article.prepare_load, listed=str(listed), crop=options.crop, size=SIZE)
        ends = False
    except RuntimeError:
        ends = True
    return {
        OURS: {
            "packed": sum(summary.num_samples.values()),
            "names_the_file": victim.name in rejected,
        },
        ARTICLE: {"epoch_ends_with_an_error": ends},
    }


def try_kill(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Kill both trainings with SIGKILL, and return what is left and whether it goes on."""
    data, run = folder / "data", folder / "killed"
    learn = ["--width", str(options.width), "--epochs", "3"]
    ours = [sys.executable, "-m", "faceae", "train", str(data), "--run", str(run)]

    def whole() -> Iterator[Path]:
        """Yield checkpoints that are whole; one that is being written has another name."""
        return (run / "checkpoints").glob("epoch-????/checkpoint.json")

    _kill_when([*ours, *learn], lambda: any(whole()))
    kept = len(list(whole()))
    faceae.train(data, run, resume=True)
    weights = folder / "killed.pth"
    arguments = {
        "listed": str(folder / "train.txt"),
        "crop": options.crop,
        "size": SIZE,
        "width": options.width,
        "epochs": 1000,
        "out": str(weights),
    }
    name = "benchmarks.peers.article:prepare_train"
    command = [sys.executable, "-m", "benchmarks.shared.isolated", name, json.dumps(arguments)]
    started = time.monotonic()
    _kill_when(command, lambda: time.monotonic() - started > 15)
    return {
        OURS: {"checkpoints_kept": kept, "epochs_after": len(read_history(read_run(run)).epochs)},
        ARTICLE: {"weights_left": weights.exists()},
    }


def _kill_when(command: list[str], is_time: Callable[[], bool]) -> None:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + _WAIT_S
    while not is_time() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    main()
