"""What `faceae tune` adds to the trainings of its trials.

One process works on a study of short trainings of a small model on drawn faces. What the study adds
is the time of the whole command after its first training began, less that of the trainings
themselves: choosing values, the journal, locks, reports after each epoch, pruning, and the wait for
the removal of losers' files. The first trial is left out, because it loads torch's libraries.
"""

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import runner
from faceae.synthetic import SynthConfig, write_dataset
from faceae.tuning import StudyView, TrialView, TuneConfig, TuneObserver, make_space, tune
from faceae_shards import PackConfig, pack

log = logging.getLogger(__name__)

OPTIONS = {"width": 8, "latent_size": 64, "batch_size": 64, "device": "cpu"}
SPACE = {
    "lr": {"low": 1e-4, "high": 1e-2, "log": True},
    "clip_norm": {"low": 0.1, "high": 10.0, "log": True},
}


class Clock(TuneObserver):
    """Remembers when trials began and ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_trial_end(self, trial: TrialView, best: TrialView | None) -> None:
        """Note the time."""
        self.ends.append(time.perf_counter())


def make_data(folder: Path, faces: int) -> Path:
    """Draw faces and pack them at 32x32."""
    write_dataset(SynthConfig(out=folder / "faces", count=faces, seed=0))
    source = folder / "faces" / "img_align_celeba"
    out = folder / "packed"
    pack(PackConfig(source=source, out=out, crop=178, size=32, split=(0.9, 0.1, 0)))
    return out


def run_study(data: Path, study: Path, trials: int, epochs: int) -> dict[str, Any]:
    """Return seconds of trainings, and of all that the study added, in the mean of a trial."""
    clock = Clock()
    config = TuneConfig(
        data=data,
        study=study,
        trials=trials + 1,
        space=make_space(SPACE),
        options={**OPTIONS, "epochs": epochs},
    )
    result = tune(config, clock)
    whole = time.perf_counter() - clock.ends[0]
    trained = sum(each.train_seconds or 0.0 for each in result.study.trials[1:])
    return {
        "train_seconds": trained / trials,
        "added_seconds": (whole - trained) / trials,
        "share": (whole - trained) / trained,
        "states": _count(result.study),
    }


def _count(study: StudyView) -> Mapping[str, int]:
    states = [trial.state for trial in study.trials]
    return {state: states.count(state) for state in sorted(set(states))}


def main(argv: list[str] | None = None) -> None:
    """Run the studies and write results/tune.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--faces", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--epochs", type=int, nargs="+", default=[4, 16])
    args = parser.parse_args(argv)
    if find_spec("optuna") is None:
        runner.lack("optuna")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    studies: dict[str, list[dict[str, Any]]] = {f"{epochs} epochs": [] for epochs in args.epochs}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = make_data(folder, args.faces)
        for number in range(args.rounds):
            for epochs in args.epochs:
                found = run_study(data, folder / f"{number}-{epochs}", args.trials, epochs)
                log.info("round %d, %d epochs: %s", number + 1, epochs, found)
                studies[f"{epochs} epochs"].append(found)
    shares = {
        name: statistics.median(each["share"] for each in found) for name, found in studies.items()
    }
    settings = {**vars(args), "options": OPTIONS, "space": SPACE}
    path = runner.save("tune", [], settings, {"studies": studies, "median_share": shares})
    log.info("wrote %s: %s", path, shares)


if __name__ == "__main__":
    main()
