"""Collects a run's figures and pictures, and fills page.html with them."""

import dataclasses
import math
import statistics
from collections.abc import Iterator
from pathlib import Path

import torch
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from faceae.evaluation.samples import nearest_path
from faceae.model import load_model, weights_hash
from faceae.runs import History, Run, read_history
from faceae_shards import atomic_path, count_of

from ._edits import EDIT_COLUMNS, Edits, read_edits
from ._figures import Figure, embed_file, embed_svg
from ._measured import SAMPLE_COLUMNS, Eval, Samples, read_evals, read_samples
from ._plots import (
    plot_drifts,
    plot_loss,
    plot_psnr_by_epoch,
    plot_psnr_by_time,
    plot_rate,
    plot_throughput,
    plot_time,
)


def write_report(run: Run, path: Path) -> None:
    """Write a run's curves, figures, options and faces as one self-contained HTML file.

    The run may still be training or may have been stopped; the page shows what exists.

    Raises:
        FaceaeError: a file of the run is damaged.
    """
    history = read_history(run)
    is_measured = any((run.list_evals(), run.list_samples(), run.list_edits()))
    weights = _current_weights(run) if is_measured else ""
    evals, samples = read_evals(run, weights), read_samples(run, weights)
    edits = read_edits(run, weights)
    page = open_template("page.html").render(
        name=run.path.resolve().name,
        status=_describe_status(run, history),
        facts=_list_facts(run, history),
        curves=list(_draw_curves(run, history, evals)),
        evals=evals,
        samples=samples,
        sample_columns=[heading for heading, *_ in SAMPLE_COLUMNS],
        edits=edits,
        edit_columns=EDIT_COLUMNS,
        drifts=[_draw_drifts(measured) for measured in edits],
        pictures=list(_find_pictures(run, history, evals, samples, edits)),
        tables=_list_tables(run),
    )
    with atomic_path(path) as part:
        part.write_text(page, encoding="utf-8", newline="\n")


def open_template(name: str) -> Template:
    """Return a template of this room."""
    environment = Environment(
        loader=PackageLoader(__package__, "."), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(name)


def _current_weights(run: Run) -> str:
    return weights_hash(load_model(run.model_path, torch.device("cpu")))


def _describe_status(run: Run, history: History) -> str:
    done, asked = len(history.epochs), run.config.epochs
    if done == asked:
        return f"finished after {count_of(done, 'epoch')}"
    return f"{done:,} of {asked:,} epochs done; at work, or stopped"


def _list_facts(run: Run, history: History) -> list[tuple[str, str]]:
    """Return the figures at the top of the page as label and value."""
    facts = []
    if history.epochs:
        best = max(history.epochs, key=lambda metrics: metrics.valid_psnr_db)
        facts.append((f"best held-out PSNR, epoch {best.epoch}", f"{best.valid_psnr_db:.2f} dB"))
    if history.steps:
        # Logged steps are equally many images apart, so their times are averaged, not their rates.
        steps = history.steps
        rates = [metrics.images_per_s for metrics in steps]
        wait_share = statistics.fmean(
            (metrics.data_wait_share for metrics in steps), weights=[1.0 / rate for rate in rates]
        )
        seconds = max(metrics.seconds for metrics in steps + history.epochs)
        facts += [
            ("training images a second", f"{statistics.harmonic_mean(rates):,.0f}"),
            ("of the training time waits for data", f"{wait_share:.1%}"),
            ("training and measuring", format_time(seconds)),
        ]
    num_skipped = sum(metrics.skipped_steps for metrics in history.steps)
    if num_skipped:
        facts.append(("steps skipped, since float16 overflowed", f"{num_skipped:,}"))
    return [*facts, ("faces to train on", f"{run.num_train_images:,}")]


def _draw_curves(run: Run, history: History, evals: list[Eval]) -> Iterator[Figure]:
    if history.epochs:
        of_held_out = (
            evaluation.record.pca.score.psnr_db
            for evaluation in evals
            if evaluation.record.pca is not None
            and evaluation.record.is_run_dataset
            and evaluation.record.split == run.held_out_split
        )
        pca_psnr_db = next(of_held_out, None)
        for title, draw in (
            ("Quality", plot_psnr_by_epoch),
            ("Time to quality", plot_psnr_by_time),
        ):
            svg = draw(history.epochs, pca_psnr_db)
            yield Figure(title=f"{title} ({run.held_out_split})", source=embed_svg(svg))
    for title, plot in (
        ("Loss", plot_loss),
        ("Throughput", plot_throughput),
        ("Where the time goes", plot_time),
        ("Learning rate", plot_rate),
    ):
        if history.steps:
            yield Figure(title=title, source=embed_svg(plot(history.steps)))


def _find_pictures(
    run: Run,
    history: History,
    evals: list[Eval],
    samples: list[Samples],
    edits: list[Edits],
) -> Iterator[Figure]:
    # The grid of an epoch is written after its metrics.
    drawn = [m.epoch for m in history.epochs if run.grid_path(m.epoch).exists()]
    for epoch in drawn[-1:]:
        yield Figure(
            title=f"Held-out faces after epoch {epoch}",
            source=embed_file(run.grid_path(epoch)),
            text="Rows take turns: originals, and under them their reconstructions.",
        )
    for evaluation in evals:
        picture = run.path / f"{evaluation.name}.png"
        if picture.exists():
            yield Figure(
                title=f"Worst and best faces ({evaluation.record.split})",
                source=embed_file(picture),
                text="The worst over their reconstructions, then the best over theirs."
                + evaluation.ranking,
            )
    for measured in samples:
        picture = run.path / f"{measured.name}.png"
        if picture.exists():
            yield Figure(
                title=f"New faces ({measured.record.split})",
                source=embed_file(picture),
                text=f"The first faces of {measured.record.faces}, not selected.",
            )
        picture = nearest_path(picture)
        if picture.exists():
            yield Figure(
                title=f"Nearest training faces ({measured.record.split})",
                source=embed_file(picture),
                text="The new faces that look most like copies, each before the training faces "
                "nearest to it.",
            )
    for edited in edits:
        picture = run.path / f"{edited.name}.png"
        if picture.exists():
            yield Figure(
                title=f"Edits ({edited.record.split})",
                source=embed_file(picture),
                text="A held-out face at strengths from -3 to 3, a direction a row: "
                f"{', '.join(edit.name for edit in edited.record.edits)}.",
            )


def _draw_drifts(edits: Edits) -> str | None:
    """Return the drift of all attributes by all directions, None where there is none."""
    directions, attributes, drifts = edits.drifts
    return embed_svg(plot_drifts(directions, attributes, drifts)) if attributes else None


def _list_tables(run: Run) -> dict[str, dict[str, object]]:
    config = dataclasses.asdict(run.config) | dataclasses.asdict(run.model)
    config["lr"] = run.config.peak_lr
    options = {name: value for name, value in config.items() if value not in (None, ())}
    return {
        "Options": {name.replace("_", " "): value for name, value in options.items()},
        "Chosen": {
            "device": run.device,
            "dtype": run.dtype_reason,
            "held-out split": run.held_out_split,
            "crop": "none" if run.crop is None else f"{run.crop} pixels",
            "dataset hash": run.dataset_hash,
        },
        "Versions": {
            name: "not installed" if version is None else version
            for name, version in run.versions.items()
        },
    }


def format_time(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds."""
    minutes, rest = divmod(math.floor(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
