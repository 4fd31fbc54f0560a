"""Tables of how cost grows."""

import statistics

from benchmarks.tables._markdown import Result, table, tables


def scaling(result: Result) -> str:
    """Return the measured slopes, and the prediction for H100 nodes."""
    prediction = result["prediction"]
    return tables(
        table(
            ["cost of", "sizes", "cost against the first", "slope", "standard error"],
            [
                [name, *_costs(result["seconds"][name]), *_slope(each)]
                for name, each in result["slopes"].items()
            ],
        ),
        f"The next table is a prediction from datasheets for {prediction['epochs']} epochs, "
        "no measurement.",
        table(
            ["faces, stored as", "GPUs", "what binds", "hours", "dollars"],
            [
                [
                    f"{name}, {kind}",
                    num_gpus,
                    each["binds"],
                    f"{each['hours']:.3g}",
                    f"{each['dollars']:,.2f}",
                ]
                for name, kinds in prediction["trainings"].items()
                for kind, by_gpus in kinds.items()
                for num_gpus, each in by_gpus.items()
            ],
        ),
    )


def _costs(seconds: dict[str, list[float]]) -> tuple[str, str]:
    medians = [statistics.median(each) for each in seconds.values()]
    sizes = ", ".join(f"{int(size):,}" for size in seconds)
    return sizes, ", ".join(f"{each / medians[0]:.3g}" for each in medians)


def _slope(found: dict[str, float]) -> tuple[str, str]:
    return f"{found['slope']:.2f}", f"{found['error']:.2f}"
