"""Tables of drawing, exporting and serving faces."""

from typing import Any

from benchmarks.tables._markdown import (
    Result,
    against,
    against_best,
    fastest_first,
    list_groups,
    ours_against,
    read_rates,
    table,
    tables,
)

_OURS = "faceae serve"
_MODELS = {
    "as built": "random weights, as built",
    "with used BatchNorms": "random weights, BatchNorms as after training",
}
_INT8_PEER = "OpenVINO, int8"
_BATCH = "batch "
_MICRO = "micro-batches, "


def generate(result: Result) -> str:
    """Return speeds by batch with errors, what the machine allows, and micro-batches."""
    rows, groups = result["rows"], list_groups(result)
    batches = {group: group for group in groups if group.startswith(_BATCH)}
    micro = {group: group.removeprefix(_MICRO) for group in groups if group.startswith(_MICRO)}
    errors = {name: f"{error:.1g}" for name, error in result["largest_errors"].items()}
    psnr = {name: f"{error:.0f}" for name, error in result.get("int8_psnr_db", {}).items()}
    more = {"largest error": errors} | ({"PSNR, dB": psnr} if psnr else {})
    return tables(
        against_best(
            fastest_first(rows), "faces a second against the best float32 peer", batches, more
        ),
        *([_int8(result, batches)] if _INT8_PEER in errors else []),
        _shares(result, list(batches)),
        against_best(rows, "micro-batches of a batch of 256, against all at once", micro),
    )


def _int8(result: Result, batches: dict[str, str]) -> str:
    """Return a table of our int8's rate divided by that of the int8 peer."""
    ours = [row for row in result["rows"] if "int8" in row["name"]]
    rates = read_rates({"rows": ours})
    return table(
        [f"int8, against `{_INT8_PEER}`", *batches.values()],
        [
            [name, *(against(each[batch], rates[_INT8_PEER][batch]) for batch in batches)]
            for name, each in rates.items()
            if name != _INT8_PEER
        ],
    )


def _shares(result: Result, batches: list[str]) -> str:
    """Return a table of the shares of sgemm's rate, alone and with reading the weights."""
    alone, reading = result["shares_of_sgemm"], result["shares_of_reading_and_sgemm"]
    return table(
        ["share of sgemm's rate, and of sgemm plus reading the weights", *batches],
        [
            [name, *(f"{alone[batch][name]:.2f}, {reading[batch][name]:.2f}" for batch in batches)]
            for name in alone[batches[-1]]
        ],
    )


def exact(result: Result) -> str:
    """Return the PSNR of each exported form."""
    models: dict[str, Any] = result["models"]
    ways = list(dict.fromkeys(way for model in models.values() for way in model))
    return table(
        ["PSNR against the model in float32, dB", *ways],
        [
            [_MODELS.get(name, name), *(f"{found[way]['psnr_db']:.0f}" for way in ways)]
            for name, found in models.items()
        ],
    )


def draw(result: Result) -> str:
    """Return the speed of each output."""
    return against_best(result["rows"], "output", {"": "speed against computing alone"})


def web(result: Result) -> str:
    """Return size, speed and error of each precision."""
    groups = {group: group for group in list_groups(result)}
    sizes, errors = result["generator_bytes"], result["psnr_db"]
    return against_best(
        result["rows"],
        "speed against float32",
        groups,
        {
            "generator, MB": {name: f"{size / 1e6:.1f}" for name, size in sizes.items()},
            "PSNR against the model, dB": {name: f"{error:.0f}" for name, error in errors.items()},
        },
    )


def serve(result: Result) -> str:
    """Return our rate against each server's, and latencies."""
    levels = {level: level for level in list_groups(result)}
    latency = result["latency_ms"]
    names = dict.fromkeys(name for each in latency.values() for name in each)
    return tables(
        ours_against(result, _OURS, f"faces a second of `{_OURS}` against", levels),
        table(
            ["latency, ms: median, 99th percentile", *latency],
            [[name, *(_latency(each.get(name)) for each in latency.values())] for name in names],
        ),
    )


def _latency(quantiles: dict[str, float] | None) -> str:
    if quantiles is None:
        return ""
    return ", ".join(
        f"{value:,.{0 if value >= 100 else 1}f}" for value in (quantiles["p50"], quantiles["p99"])
    )
