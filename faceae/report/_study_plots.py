"""Draws the figures of a study as SVG."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps, style
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from faceae.tuning import Choices, Parameter, Range, StudyView, TrialView

from ._plots import BLUE, ORANGE, SIZE_INCHES, STYLE, make_axes, to_svg

_GREY = "#a0aec0"
_WIDE_INCHES = (12.8, 4.2)
_COLORS = colormaps["viridis"]


@style.context(STYLE)
def plot_history(study: StudyView, unit: str) -> bytes:
    """Return the values of the trials, and the best so far."""
    figure, axes = make_axes("trial", unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for state, color in (("pruned", _GREY), ("complete", BLUE)):
        trials = [t for t in study.trials if t.state == state and t.value is not None]
        x, y = [t.number for t in trials], _list_values(trials)
        axes.scatter(x, y, color=color, s=18, label=f"{state} ({len(trials)})", zorder=3)
    complete = [t for t in study.trials if t.state == "complete" and t.value is not None]
    if complete:
        accumulate = np.maximum if study.record.maximizes else np.minimum
        best = accumulate.accumulate(_list_values(complete))
        axes.step([t.number for t in complete], best, where="post", color=ORANGE, label="best")
    figure.legend(loc="outside upper right", ncols=3)
    return to_svg(figure)


@style.context(STYLE)
def plot_learning(study: StudyView, unit: str) -> bytes:
    """Return the value over the epochs, a line for each trial; the best one is marked."""
    figure, axes = make_axes("epoch", unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for trial in study.trials:
        is_best = study.best is not None and trial.number == study.best.number
        epochs, values = [e for e, _ in trial.epochs], [v for _, v in trial.epochs]
        color = ORANGE if is_best else BLUE if trial.state == "complete" else _GREY
        axes.plot(epochs, values, color=color, marker=".", zorder=4 if is_best else 3, alpha=0.8)
    return to_svg(figure)


@style.context(STYLE)
def plot_importances(importances: Mapping[str, float]) -> bytes:
    """Return a bar for each option."""
    figure = Figure(figsize=SIZE_INCHES)
    axes = figure.subplots()
    names = list(importances)[::-1]
    bars = axes.barh(names, [importances[name] for name in names], color=BLUE, height=0.6)
    axes.bar_label(bars, fmt="{:.0%}", padding=4)
    axes.set_xlim(0, 1.1 * max(importances.values()))
    axes.xaxis.set_visible(False)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    return to_svg(figure)


@style.context(STYLE)
def plot_parallel(study: StudyView, unit: str) -> bytes:
    """Return a line for each trial through its options and its value. Better ones are brighter.

    The line of a trial without one of the options leaves it out.
    """
    trials = sorted(_list_valued(study), key=lambda t: t.value or 0.0)
    trials = trials if study.record.maximizes else trials[::-1]
    values = _list_values(trials)
    names = study.record.space.names
    figure = Figure(figsize=_WIDE_INCHES)
    axes = figure.subplots()
    axes.grid(visible=False, axis="y")
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    scale = Normalize(min(values), max(values))
    for trial, value in zip(trials, values, strict=True):
        places = [(i, _place(study.record.space.parameters[name], trial.params[name]))
                  for i, name in enumerate(names) if name in trial.params]  # fmt: skip
        places.append((len(names), float(scale(value)) if scale.vmax != scale.vmin else 0.5))
        color = _COLORS(scale(value) if study.record.maximizes else 1 - scale(value))
        axes.plot(*zip(*places, strict=True), color=color, linewidth=1.4,
                  alpha=1.0 if trial.state == "complete" else 0.4)  # fmt: skip
    for i, name in enumerate(names):
        _label_axis(axes, i, study.record.space.parameters[name])
    for place in (0.0, 0.5, 1.0):
        text = f"{min(values) + place * (max(values) - min(values)):.2f}"
        axes.annotate(text, (len(names), place), xytext=(6, -3), textcoords="offset points")
    axes.set_xticks(range(len(names) + 1), [*names, unit])
    axes.set_yticks([])
    axes.set_xlim(-0.15, len(names) + 0.25)
    return to_svg(figure)


@style.context(STYLE)
def plot_option(study: StudyView, name: str, unit: str) -> bytes:
    """Return the values of the trials over an option."""
    figure, axes = make_axes(name, unit)
    parameter = study.record.space.parameters[name]
    if isinstance(parameter, Choices):
        axes.set_xticks(range(len(parameter.values)), [str(v) for v in parameter.values])
        axes.set_xlim(-0.5, len(parameter.values) - 0.5)
    else:
        axes.set_xscale("log" if parameter.log else "linear")
        axes.set_xlim(*_pad(parameter))
    for state, color in (("pruned", _GREY), ("complete", BLUE)):
        trials = [t for t in _list_valued(study) if t.state == state and name in t.params]
        x = [_position(parameter, t.params[name]) for t in trials]
        axes.scatter(x, _list_values(trials), color=color, s=18, label=state, zorder=3)
    figure.legend(loc="outside upper right", ncols=2)
    return to_svg(figure)


def _list_values(trials: Sequence[TrialView]) -> list[float]:
    return [trial.value for trial in trials if trial.value is not None]


def _pad(parameter: Range) -> tuple[float, float]:
    """Return the limits of an axis that shows a whole range."""
    low, high = parameter.low, parameter.high
    if parameter.log:
        factor = (high / low) ** 0.04
        return low / factor, high * factor
    margin = 0.04 * (high - low)
    return low - margin, high + margin


def _list_valued(study: StudyView) -> list[TrialView]:
    return [t for t in study.trials if t.value is not None and t.state in ("complete", "pruned")]


def _position(parameter: Parameter, value: Any) -> float:
    """Return where a value lies on an axis: itself, or the number of the choice."""
    return parameter.values.index(value) if isinstance(parameter, Choices) else value


def _place(parameter: Parameter, value: Any) -> float:
    """Return where a value lies on its vertical axis, 0 - 1."""
    if isinstance(parameter, Choices):
        last = len(parameter.values) - 1
        return parameter.values.index(value) / last if last else 0.5
    low, high = parameter.low, parameter.high
    if parameter.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return float((value - low) / (high - low))


def _label_axis(axes: Axes, index: int, parameter: Parameter) -> None:
    axes.axvline(index, color="#cbd5e0", linewidth=1)
    for value in _list_labels(parameter):
        text = f"{value:.3g}" if isinstance(value, float) else str(value)
        axes.annotate(
            text, (index, _place(parameter, value)), xytext=(6, -3), textcoords="offset points"
        )


def _list_labels(parameter: Parameter) -> Sequence[Any]:
    if isinstance(parameter, Choices):
        return parameter.values
    if parameter.log:
        return (parameter.low, math.sqrt(parameter.low * parameter.high), parameter.high)
    return (parameter.low, (parameter.low + parameter.high) / 2, parameter.high)
