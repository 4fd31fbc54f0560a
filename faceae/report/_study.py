"""Fills study.html with the figures of a study."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceae.tuning import StudyView, TrialView
from faceae_shards import atomic_path, count_of

from ._figures import Figure, embed_svg
from ._page import format_time, open_template
from ._study_plots import (
    plot_history,
    plot_importances,
    plot_learning,
    plot_option,
    plot_parallel,
)

_UNITS = {"psnr": "held-out PSNR, dB", "samples": "Fréchet distance of new faces"}
_ORDER = {"complete": 0, "pruned": 1, "running": 2, "waiting": 3, "failed": 4}


@dataclass(frozen=True, kw_only=True)
class _Row:
    number: int
    state: str
    cells: list[str]
    note: str


def write_study_report(study: StudyView, path: Path) -> None:
    """Write a study's history, the importance of its options and its trials as one HTML file."""
    unit = _UNITS[study.record.objective]
    page = open_template("study.html").render(
        name=Path(study.title).name,
        status=_describe_status(study),
        facts=_list_facts(study),
        figures=list(_draw_figures(study, unit)),
        unit=unit,
        options=study.record.space.names,
        rows=[_make_row(study, trial) for trial in _sort_trials(study)],
        tables=_list_tables(study),
    )
    with atomic_path(path) as part:
        part.write_text(page, encoding="utf-8", newline="\n")


def _describe_status(study: StudyView) -> str:
    counts = {state: sum(t.state == state for t in study.trials) for state in _ORDER}
    found = [f"{count} {state}" for state, count in counts.items() if count]
    num_trials = count_of(len(study.trials), "trial")
    return f"A study of {num_trials}: {', '.join(found)}." if found else "No trials."


def _list_facts(study: StudyView) -> list[tuple[str, str]]:
    """Return the figures at the top of the page as label and value."""
    facts = []
    best = study.best
    if best is not None and best.value is not None:
        value = f"{best.value:.2f}" + (" dB" if study.record.maximizes else "")
        facts.append(
            (f"best {_UNITS[study.record.objective].split(',')[0]}, trial {best.number}", value)
        )
    seconds = sum(trial.seconds or 0.0 for trial in study.trials)
    facts.append(("hours, minutes and seconds of all trials", format_time(seconds)))
    if study.importances:
        name, share = next(iter(study.importances.items()))
        facts.append((f"importance of {name}, the most important option", f"{share:.0%}"))
    return facts


def _draw_figures(study: StudyView, unit: str) -> Iterator[Figure]:
    if not any(trial.epochs for trial in study.trials):
        return
    yield Figure(title="History", source=embed_svg(plot_history(study, unit)))
    yield Figure(
        title="Learning",
        source=embed_svg(plot_learning(study, unit)),
        text="Grey trials were pruned. The orange one is the best.",
    )
    if study.importances:
        yield Figure(
            title="Importance",
            source=embed_svg(plot_importances(study.importances)),
            text="How much an option decides whether a trial is among the better ones after its "
            "first epoch (PED-ANOVA). With few trials this is a hint only.",
        )
    if any(trial.state in ("complete", "pruned") and trial.epochs for trial in study.trials):
        yield Figure(
            title="Parallel coordinates",
            source=embed_svg(plot_parallel(study, unit)),
            text="A line for each trial. Better trials are brighter, pruned ones are pale.",
            is_wide=True,
        )
        for name in study.record.space.names:
            yield Figure(title=name, source=embed_svg(plot_option(study, name, unit)))


def _sort_trials(study: StudyView) -> list[TrialView]:
    sign = -1 if study.record.maximizes else 1

    def rank(trial: TrialView) -> tuple[int, float, int]:
        value = math.inf if trial.value is None else sign * trial.value
        return _ORDER[trial.state], value, trial.number

    return sorted(study.trials, key=rank)


def _make_row(study: StudyView, trial: TrialView) -> _Row:
    chosen = [_format(trial.params.get(name, "")) for name in study.record.space.names]
    cells = [
        "" if trial.value is None else f"{trial.value:.2f}",
        str(len(trial.epochs)),
        "" if trial.seconds is None else f"{trial.seconds:.0f}",
        *chosen,
    ]
    return _Row(number=trial.number, state=trial.state, cells=cells, note=trial.note or "")


def _list_tables(study: StudyView) -> dict[str, dict[str, Any]]:
    record = study.record
    best = study.best
    study_lines = {
        "objective": record.objective,
        "pruning": record.pruning,
        "stored in": study.title,
        "dataset hash": record.dataset_hash,
    }
    tables: dict[str, dict[str, Any]] = {"Study": study_lines}
    if best is not None:
        values = {name: _format(value) for name, value in best.params.items()}
        tables[f"Best trial ({best.number})"] = values | {"run": best.run or "", "host": best.host}
    tables["Options of all trials"] = dict(record.options)
    return tables


def _format(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
