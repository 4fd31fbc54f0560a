"""Tables and cells in Markdown."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

Result = dict[str, Any]
"""What a results file holds."""
Row = dict[str, Any]
"""Rates and ratios of one contender in one group; see `benchmarks.runner.Row`."""
Rates = dict[str, dict[str, list[float]]]
"""Items a second of every round, by contender and group."""


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; cells of numbers are formatted by the caller."""
    head, *lines = (f"| {' | '.join(map(str, line))} |" for line in (header, *rows))
    return "\n".join([head, "|---" * len(header) + "|", *lines])


def tables(*parts: str) -> str:
    """Return several tables, one below the other."""
    return "\n\n".join(parts)


def spread(values: Sequence[float], digits: int | None = None) -> str:
    """Return the median of the rounds, with the lowest and the highest round."""
    return interval(statistics.median(values), min(values), max(values), digits)


def interval(middle: float, low: float, high: float, digits: int | None = None) -> str:
    """Return a value and its range; large values have one decimal, all others two."""
    if digits is None:
        digits = 1 if middle >= 10 else 2
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def against(rates: Sequence[float], peer: Sequence[float]) -> str:
    """Return the ratio of two contenders in the same rounds."""
    return spread([rate / other for rate, other in zip(rates, peer, strict=True)])


def read_rates(result: Result) -> Rates:
    """Return the rates by contender and group, in the order of the file."""
    rates: Rates = {}
    for row in result["rows"]:
        rates.setdefault(row["name"], {})[row["group"]] = row["items_per_s"]
    return rates


def against_best(
    rows: Sequence[Row],
    way: str,
    groups: dict[str, str],
    more: dict[str, dict[str, str]] | None = None,
) -> str:
    """Return a table of the stored ratios against the best peer: a row for each contender.

    `groups` gives the titles of the columns; `more` holds further columns, their cells by
    contender.
    """
    more = more or {}
    ratios = {(row["name"], row["group"]): row for row in rows if row["group"] in groups}
    return table(
        [way, *groups.values(), *more],
        [
            [
                name,
                *(_ratio(ratios.get((name, group))) for group in groups),
                *(cells.get(name, "") for cells in more.values()),
            ]
            for name in dict.fromkeys(name for name, _ in ratios)
        ],
    )


def fastest_first(rows: Sequence[Row]) -> list[Row]:
    """Return rows by their ratio."""
    return sorted(rows, key=lambda row: -row["ratio"])


def _ratio(row: Row | None) -> str:
    return "" if row is None else interval(row["ratio"], row["ratio_low"], row["ratio_high"])


def ours_against(result: Result, ours: str, way: str, groups: dict[str, str]) -> str:
    """Return a table of our rate divided by that of each other contender."""
    rates = read_rates(result)
    return table(
        [way, *groups.values()],
        [
            [name, *_ratios(rates[ours], theirs, groups)]
            for name, theirs in rates.items()
            if name != ours
        ],
    )


def _ratios(
    ours: dict[str, list[float]], theirs: dict[str, list[float]], groups: Iterable[str]
) -> list[str]:
    return [against(ours[group], theirs[group]) if group in theirs else "" for group in groups]


def list_groups(result: Result) -> list[str]:
    """Return the groups of contenders, in the order of the file."""
    return list(dict.fromkeys(row["group"] for row in result["rows"]))
