"""What edits of drawn faces change, and what they leave.

Draws faces, packs them, trains a model, finds its directions and runs `faceae eval --edits` on the
test split, whose persons are not in the training split. Attributes of drawn faces are exact. Then
draws pictures of new people twice, without and with an attribute, and compares the edit with the
truth. All this is done twice: with directions as they are found, and with directions of which each
keeps all other attributes. `--faces 20000 --epochs 6 --width 32` takes hours on one core; the
defaults are smaller and show that the script works.
"""

import argparse
import dataclasses
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import faceae
from benchmarks import runner
from benchmarks.shared.redrawn import RedrawnBench, redrawn_table
from faceae.evaluation.edits import EditRecord, EditsConfig, evaluate_edits
from faceae.runs import read_run
from faceae.synthetic import SynthConfig, write_dataset

log = logging.getLogger(__name__)

_GOAL_STRENGTH = 2


def main() -> None:
    """Measure, write results/edits.json and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=2000, help="faces to draw")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--width", type=int, default=16, help="channels of the first layer")
    parser.add_argument("--latent-size", type=int, default=1024, help="numbers of a latent")
    parser.add_argument("--model", default="variational", help="kind of model")
    parser.add_argument("--edited", type=int, default=50, help="faces of either kind to edit")
    parser.add_argument("--judge-steps", type=int, default=800)
    parser.add_argument(
        "--redrawn", type=int, default=300, help="faces to choose redrawn ones from"
    )
    parser.add_argument("--name", default="edits", help="name of the result")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    load_average = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        results = measure(Path(scratch), options)
    settings = {**vars(options), "load_average_before": load_average}
    path = runner.save(options.name, [], settings, results)
    print(path)


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of edits of a model that is trained on drawn faces, by kind of search."""
    photographs, packed, run = folder / "photographs", folder / "packed", folder / "run"
    log.info("drawing %d faces", options.faces)
    write_dataset(SynthConfig(out=photographs, count=options.faces))
    faceae.pack(photographs, packed, crop=178, size=64)
    log.info("training")
    shape = {"width": options.width, "latent_size": options.latent_size}
    faceae.train(packed, run, epochs=options.epochs, model=options.model, amp=True, **shape)
    bench = RedrawnBench.make(
        faceae.load(run),
        judged=2 * options.judge_steps,
        held_out=options.redrawn,
        judge_steps=options.judge_steps,
    )
    config = EditsConfig(faces=options.edited, judge_steps=options.judge_steps)
    results = {}
    keep: tuple[str, ...] = ()
    for search in ("free", "kept"):
        log.info("measuring edits, %s", search)
        directions = faceae.find_directions(run, packed, keep=keep)
        record = evaluate_edits(read_run(run), faceae.open_dataset(packed), config=config)
        redrawn = bench.measure(directions)
        results[search] = {
            "edits": dataclasses.asdict(record),
            "redrawn": [dataclasses.asdict(each) for each in redrawn],
        }
        print(_table(record), redrawn_table(redrawn), sep="\n\n")
        log.info("strength %d turns %.0f %% on average", _GOAL_STRENGTH, 100 * _mean_turned(record))
        keep = directions.names
    return results


def _mean_turned(record: EditRecord) -> float:
    shares = [edit.turned_on for edit in record.edits if edit.turned_on is not None]
    return sum(shares) / max(len(shares), 1)


def _table(record: EditRecord) -> str:
    lines = [
        "| attribute | judge | turned on | turned off | monotonic | same person | mean drift "
        "| largest |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for edit in record.edits:
        on, off = (
            "" if share is None else f"{share:.0%}" for share in (edit.turned_on, edit.turned_off)
        )
        other, drift = edit.largest_drift
        lines.append(
            f"| {edit.name} | {edit.judge_accuracy:.2f} | {on} | {off} | {edit.monotonic:.0%} | "
            f"{edit.same_person:.0%} | {edit.mean_drift:.2f} | {other} {drift:+.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
