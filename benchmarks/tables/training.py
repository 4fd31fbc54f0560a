"""Tables of training."""

from collections.abc import Sequence
from typing import Any

from benchmarks.tables._markdown import (
    Result,
    against,
    interval,
    read_rates,
    spread,
    table,
    tables,
)

_EPOCHS_SHOWN = (0, 1, 2, 3, 5, 10, 15, 18, 20, 25, 29, 32, 40)
"""Epochs of a curve that a table shows, besides its last."""
_RESIDENT = "resident batch"
_STAGES = {"pack": "pack, against one of its epochs of loading"}
_MEASURES = {
    "psnr_db": ("PSNR on held-out photographs, dB", 2),
    "against_photographs": ("distance of new faces against photographs", 1),
    "coverage": ("coverage", 2),
    "sharpness": ("sharpness", 2),
}


def train(result: Result) -> str:
    """Return the speed of a step by the source of the faces."""
    rates = read_rates(result)
    return table(
        ["source of the faces", "faces a second against one resident batch"],
        [
            [name, against(each[""], rates[_RESIDENT][""])]
            for name, each in rates.items()
            if name != _RESIDENT
        ],
    )


def time_to_quality(result: Result) -> str:
    """Return the curves of both trainings; epoch 0 is the state before the first step."""
    ours, tutorial = result["curves"]["ours"], result["curves"]["tutorial script"]
    shown = _shown(len(ours) - 1)
    theirs = dict(enumerate(tutorial, 1))
    return table(
        ["epochs", "minutes", "PSNR, dB", "tutorial script, minutes", "tutorial script, PSNR, dB"],
        [[epoch, *_point(ours[epoch]), *_point(theirs.get(epoch))] for epoch in shown],
    )


def long_runs(result: Result) -> str:
    """Return held-out and training PSNR by epoch, a table for each run."""
    return tables(*(_long_run(name, run) for name, run in result["runs"].items()))


def _long_run(name: str, run: dict[str, Any]) -> str:
    held_out, trained = run["held_out_psnr_db"], run["training_psnr_db"]
    return table(
        [f"epochs ({name})", "minutes", "held-out PSNR, dB", "training PSNR, dB"],
        [
            [epoch, *_point(held_out[epoch - 1]), f"{trained[epoch - 1][1]:.2f}"]
            for epoch in _shown(len(held_out))
            if epoch
        ],
    )


def _shown(last: int) -> list[int]:
    return sorted({epoch for epoch in _EPOCHS_SHOWN if epoch <= last} | {last})


def _point(point: Sequence[float] | None) -> tuple[str, str]:
    """Return the cells of minutes and decibels."""
    if point is None:
        return "", ""
    seconds, decibels = point
    return f"{seconds / 60:.1f}", f"{decibels:.2f}"


def recipe(result: Result) -> str:
    """Return quality and time of each recipe."""
    return table(
        ["recipe", "held-out PSNR, dB", "time a step"],
        [
            [name, f"{trial['curve'][-1][1]:.2f}", f"{trial['time_against_the_first']:.2f}"]
            for name, trial in result["trials"].items()
        ],
    )


def tune(result: Result) -> str:
    """Return the share of a trial that a study adds."""
    return table(
        ["at most", "share of a trial that the study adds"],
        [
            [name, spread([study["share"] for study in found], digits=3)]
            for name, found in result["studies"].items()
        ],
    )


def article(result: Result) -> str:
    """Return stages, quality and faults of our system and of the article's."""
    names = ("faceae", "article")
    faults = ("damaged_photograph", "kill")
    return tables(
        table(
            ["stage", "speed against the article", "memory, MiB", "the article's memory, MiB"],
            [
                [
                    _STAGES.get(stage, stage),
                    interval(each["speed"], each["speed_low"], each["speed_high"]),
                    *(f"{each['peak_mib'][name]:,.0f}" for name in names),
                ]
                for stage, each in result["stages"].items()
            ],
        ),
        table(
            ["after equal epochs", *names],
            [
                [title, *(f"{result['quality'][name][measure]:.{digits}f}" for name in names)]
                for measure, (title, digits) in _MEASURES.items()
            ],
        ),
        table(
            ["fault", *names],
            [
                [fault.replace("_", " "), *(_outcome(result[fault][name]) for name in names)]
                for fault in faults
            ],
        ),
    )


def _outcome(found: dict[str, bool | int]) -> str:
    """Return what a system did, as `what: figure`."""
    yes = {True: "yes", False: "no"}
    return ", ".join(
        f"{name.replace('_', ' ')}: {yes[value] if isinstance(value, bool) else value}"
        for name, value in found.items()
    )
