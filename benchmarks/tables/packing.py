"""Tables of packing."""

from benchmarks.tables._markdown import (
    Result,
    against,
    list_groups,
    ours_against,
    read_rates,
    table,
    tables,
)

_OURS = "faceae shard"
_MODES = {"untouched": "untouched files", "jpg 64": "JPEG 64x64", "npy 64": "arrays 64x64"}


def pack(result: Result) -> str:
    """Return our rate against each contender's, and the peak memory of all."""
    modes = {mode: _MODES.get(mode, mode) for mode in list_groups(result)}
    peak = result["peak_mib"]
    return tables(
        ours_against(result, _OURS, f"images a second of `{_OURS}` against", modes),
        table(
            ["peak memory of all processes, MiB", *modes.values()],
            [
                [name, *(_mib(peak.get(f"{mode}: {name}")) for mode in modes)]
                for name in read_rates(result)
            ],
        ),
    )


def _mib(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def pack_scale(result: Result) -> str:
    """Return memory and cost by the number of images."""
    cost, started = result["cost_against_20000"], result["cost_with_start_against_20000"]
    return table(
        [
            "images",
            "peak memory, MiB",
            "cost of an image against 20,000 images",
            "with the start of processes",
        ],
        [
            [
                f"{int(count):,}",
                _mib(result["peak_mib"][count]),
                f"{cost[count]:.2f}",
                f"{started[count]:.2f}",
            ]
            for count in cost
        ],
    )


def pack_celeba(result: Result) -> str:
    """Return time, memory and files of the packs."""
    packs = {
        f"{result['settings']['workers']} workers": result,
        "1 worker": result["one_worker"],
        f"killed after {result['killed_at_shards']} shards, run again": result["resumed"],
    }
    return table(
        ["pack", "seconds", "peak memory, MiB", "same files"],
        [
            [
                name,
                f"{each['seconds']:.0f}",
                f"{each['peak_mib']:.0f}",
                {True: "yes", False: "no", None: ""}[each.get("same_files")],
            ]
            for name, each in packs.items()
        ],
    )


def zip_directory(result: Result) -> str:
    """Return rate and memory of both ways."""
    rates = read_rates(result)
    return table(
        ["way", "members a CPU second against `zipfile`", "peak memory, MiB"],
        [
            [name, against(each[""], rates["zipfile"][""]), _mib(result["peak_mib"][name])]
            for name, each in rates.items()
        ],
    )
