"""How close the new faces of models and priors are to photographs.

DATA is a packed dataset, and RUN are runs that `faceae train` has trained on it. For each run and
each prior the script fits the prior to a copy of the run, and measures new faces, reconstructions
and held-out photographs as `faceae eval --samples` does. Trials of earlier calls stay in the
result, so that the table holds every trial; a trial that is measured again replaces the earlier
one. Time is that of training alone, on whatever machine trained the run.

The last line is a prediction, not a measurement: the same recipe on one H100 and all of CelebA
(`benchmarks/shared/adversarial.py`).
"""

import argparse
import dataclasses
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from matplotlib import pyplot

import faceae
from benchmarks import runner
from benchmarks.shared import adversarial
from benchmarks.tables import TABLES
from faceae.evaluation.samples import SampleConfig, SampleQuality, SampleRecord, evaluate_samples
from faceae.latent import PriorKind
from faceae.model import ModelConfig
from faceae.runs import Run, read_history, read_run

log = logging.getLogger(__name__)

_OPTIONS = ("latent_size", "width", "batch_size", "lr", "kl_weight", "free_bits", "init")
"""Options of a run that tell it from others of the same kind of model."""
_RECIPE = ModelConfig(latent_size=128, variant="adversarial")
_CELEBA = 202_599


def main() -> None:
    """Measure, write results/new_faces.json and its plot, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="packed dataset")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--priors", nargs="+", choices=get_args(PriorKind), default=["normal"])
    parser.add_argument("--truncations", nargs="+", type=float, default=[1.0], metavar="FACTOR")
    parser.add_argument("--samples", type=int, default=10_000, help="faces to draw")
    parser.add_argument("--name", default="new_faces", help="name of the result")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    trials = _read_trials(options.name)
    floor: SampleQuality | None = None
    for path in options.runs:
        for prior in options.priors:
            log.info("measuring %s with the prior %s", path, prior)
            for name, trial, photographs in measure(path, options, prior):
                trials[name], floor = trial, photographs
    assert floor is not None, "there is a run and a prior"
    findings = {
        "trials": trials,
        "photographs": dataclasses.asdict(floor),
        "predictions": {
            str(batch): adversarial.predict(_RECIPE, batch_size=batch, faces=_CELEBA, epochs=36)
            for batch in (32, 256)
        },
    }
    path = runner.save(options.name, [], {"samples": options.samples}, findings)
    _plot(options.name, trials)
    print(TABLES["new_faces"](findings))
    for batch, predicted in findings["predictions"].items():
        print(
            f"predicted for one H100, batches of {batch}: {predicted['steps_per_s']:.0f} steps/s "
            f"(limit: {predicted['binds']}); {predicted['hours']:.1f} hours for {_CELEBA:,} faces, "
            f"{predicted['epochs']} epochs"
        )
    print(path)


def measure(
    path: Path, options: argparse.Namespace, prior: PriorKind
) -> Iterator[tuple[str, dict[str, Any], SampleQuality]]:
    """Yield each trial's name, its figures, and those of held-out photographs."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "run")
        copy.mkdir()
        for name in ("run.json", "metrics.jsonl", "model.safetensors"):
            shutil.copy(path / name, copy)
        faceae.fit(copy, options.data, prior=prior)
        run, dataset = read_run(copy), faceae.open_dataset(options.data)
        for factor in options.truncations:
            config = SampleConfig(samples=options.samples, truncation=factor)
            record = evaluate_samples(run, dataset, config=config)
            name = f"{_describe(run)}, {prior}"
            if factor != 1:
                name += f", truncation {factor:g}"
            yield name, _figures(run, record), record.photographs


def _describe(run: Run) -> str:
    """Return the kind of model, its epochs, and its options that are not the default."""
    config = run.config
    defaults = {field.name: field.default for field in dataclasses.fields(config)}
    changed = [
        f"{name} {getattr(config, name)}"
        for name in _OPTIONS
        if getattr(config, name) != defaults[name]
    ]
    return ", ".join([config.model, f"{_last(run).epoch} of {config.epochs} epochs", *changed])


def _figures(run: Run, record: SampleRecord) -> dict[str, Any]:
    last = _last(run)
    return {
        "minutes": last.seconds / 60,
        "psnr_db": last.valid_psnr_db,
        "num_train_images": run.num_train_images,
        "new_faces": dataclasses.asdict(record.new_faces),
        "reconstructions": dataclasses.asdict(record.reconstructions),
    }


def _last(run: Run) -> Any:
    return read_history(run).epochs[-1]


def _read_trials(name: str) -> dict[str, Any]:
    path = runner.RESULTS / f"{name}.json"
    if not path.exists():
        return {}
    trials: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["trials"]
    return trials


def _plot(name: str, trials: dict[str, Any]) -> None:
    """Draw results/NAME.svg: distance by minutes of training."""
    figure, axes = pyplot.subplots(figsize=(8, 5))
    for title, trial in trials.items():
        axes.plot(trial["minutes"], trial["new_faces"]["frechet_distance"], "o", label=title)
    axes.set(xlabel="minutes of training", ylabel="Fréchet distance of new faces", yscale="log")
    axes.legend(fontsize=7)
    runner.save_figure(name, figure)


if __name__ == "__main__":
    main()
