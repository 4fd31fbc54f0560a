"""Tables of loading."""

from benchmarks.tables._markdown import (
    Result,
    against_best,
    fastest_first,
    list_groups,
    table,
    tables,
)

_SPEED = "images a second against the best peer"


def load(result: Result) -> str:
    """Return each loader against the best peer, a table for each kind of source."""
    rows = fastest_first(result["rows"])
    return tables(
        *(
            against_best(rows, f"loader, {group}".rstrip(", "), {group: _SPEED})
            for group in list_groups(result)
        )
    )


def load_memory(result: Result) -> str:
    """Return the memory of an epoch by the number of images."""
    epochs = {(epoch["count"], epoch["cache"]): epoch for epoch in result["epochs"]}
    return table(
        [
            "images",
            "own memory, MiB",
            "with mapped shards, MiB",
            "own memory with the cache, MiB",
        ],
        [
            [
                f"{count:,}",
                *(
                    f"{peak:,.0f}"
                    for peak in (
                        epochs[count, "none"]["peak_own_mib"],
                        epochs[count, "none"]["peak_mib"],
                        epochs[count, "ram"]["peak_own_mib"],
                    )
                ),
            ]
            for count in sorted({count for count, _ in epochs})
        ],
    )
