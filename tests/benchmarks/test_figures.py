"""Every figure of benchmarks/README.md, computed from the results files."""

import json
import re
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
SECTIONS = dict(
    part.split("\n", 1) for part in (BENCHMARKS / "README.md").read_text("utf-8").split("\n## ")
)
"""The text of each section by its heading."""


def read(name: str) -> Any:
    return json.loads((BENCHMARKS / "results" / f"{name}.json").read_text(encoding="utf-8"))


def rates_of(name: str) -> dict[tuple[str, str], list[float]]:
    """Rates of every round by group and contender."""
    return {(row["group"], row["name"]): row["items_per_s"] for row in read(name)["rows"]}


def against(rates: list[float], peer: list[float], digits: int = 2) -> str:
    """The median ratio of the rounds, and the lowest and highest."""
    ratios = [rate / other for rate, other in zip(rates, peer, strict=True)]
    middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def row(*cells: object) -> str:
    return "".join(f"| {cell} " for cell in cells) + "|"


def packing() -> Iterator[str]:
    rates, result = rates_of("pack"), read("pack")
    names = {
        "webdataset.ShardWriter with a Pillow check": "webdataset.ShardWriter, Pillow",
        "mosaicml-streaming's MDSWriter": "streaming.MDSWriter, Pillow",
        "litdata.optimize": "litdata.optimize, Pillow",
    }
    modes = ("untouched", "jpg 64", "npy 64")
    for title, name in names.items():
        ours = (against(rates[mode, "faceae shard"], rates[mode, name]) for mode in modes)
        yield row(title, *ours)
    yield f"at {result['share_of_decode_limit']['untouched']:.2f} of the rate"
    peak = {name: result["peak_mib"][f"untouched: {name}"] for name in names.values()}
    writer, streaming, litdata = peak.values()
    yield (
        f"faceae {result['peak_mib']['untouched: faceae shard']:.0f} MiB, ShardWriter "
        f"{writer:.0f}, MDSWriter {streaming:.0f}, litdata {litdata:,.0f}"
    )


def packing_many() -> Iterator[str]:
    result = read("pack_scale")
    for count in ("2000", "20000", "200000"):
        cost, started = result["cost_against_20000"], result["cost_with_start_against_20000"]
        peak = f"{result['peak_mib'][count]:.0f}"
        yield row(f"{int(count):,}", peak, f"{cost[count]:.2f}", f"{started[count]:.2f}")


def zip_directory() -> Iterator[str]:
    rates, result = rates_of("zip_directory"), read("zip_directory")
    yield f"{result['settings']['members']:,} stored members"
    ratio = against(rates["", "faceae"], rates["", "zipfile"])
    yield row("faceae's parser", ratio, f"{result['peak_mib']['faceae']:.0f}")
    yield row("`zipfile`", "1.00", f"{result['peak_mib']['zipfile']:.0f}")


def aligning() -> Iterator[str]:
    result = read("align")
    drawn, photographs, scenes = result["drawn"], result["photographs"], result["scenes"]
    titles = {
        "drawn faces, unchanged": drawn["unchanged"],
        "drawn faces, head turned to the side by 12 degrees or more": drawn[
            "head turned by 12 degrees or more"
        ],
        "drawn faces, rotated by up to 30 degrees": drawn["turned"],
        "drawn faces, scaled to 0.4-1": drawn["scaled"],
        "drawn faces, lit from one side": drawn["lit"],
        "photographs, rotated by up to 30 degrees": photographs["turned"],
        "photographs, scaled to 0.4-1": photographs["scaled"],
        "photographs, lit from one side": photographs["lit"],
        "photographs in larger scenes": scenes,
    }
    for title, figures in titles.items():
        errors = (f"{figures[name]:.3f}" for name in ("error_median", "error_p90"))
        yield row(title, f"{figures['recall']:.3f}", *errors)
    yield f"below a fifth of its scene, is found in {scenes['recall_below_a_fifth']:.3f}"
    yield f"largest face found in {scenes['largest']:.3f}"
    backgrounds = result["backgrounds"]
    yield f"{backgrounds['false_faces']} faces in {backgrounds['pictures']} drawn scenes without"
    rates = rates_of("align")
    for group in ("photographs of 250x250", "scenes of 4000x3000"):
        plain, ours = (rates[group, name] for name in ("centre crop", "aligned face"))
        yield row(group, against(ours, plain))


def celeba() -> Iterator[str]:
    result = read("pack_celeba")
    one, resumed = result["one_worker"], result["resumed"]
    assert (one["same_files"], resumed["same_files"]) == (True, True)
    assert result["verify"]["num_problems"] == 0
    yield f"{sum(result['num_samples'].values()):,} drawn images"
    yield f"{result['num_shards']} shards of {result['num_bytes'] / 1e6:,.0f} MB"
    yield f"{result['peak_mib']:.0f} MiB of memory at its peak, and {one['peak_mib']:.0f} MiB with"
    yield f"killed after {result['killed_at_shards']} shards"
    yield f"{resumed['seconds']:.0f} to {result['seconds']:.0f} seconds"
    yield f"with one worker {one['seconds']:.0f}:"


def loading() -> Iterator[str]:
    result = read("load")
    best = {"JPEG 178x218": "FFCV, 2 threads", "arrays 64x64": "DataLoader, mapped file, 0 workers"}
    for line in result["rows"]:
        assert line["name"] != best.get(line["group"]) or line["ratio"] == 1
        if line["name"] != "copying in memory":
            middle, low, high = line["ratio"], line["ratio_low"], line["ratio_high"]
            yield row(line["name"], f"{middle:.2f} ({low:.2f}-{high:.2f})")
    yield f"at {result['cache_share_of_copying']:.2f} of the rate"


def epoch_memory() -> Iterator[str]:
    epochs = {(epoch["count"], epoch["cache"]): epoch for epoch in read("load_memory")["epochs"]}
    for count in (2_000, 20_000, 200_000):
        plain, cached = epochs[count, "none"], epochs[count, "ram"]
        peaks = (plain["peak_own_mib"], plain["peak_mib"], cached["peak_own_mib"])
        yield row(f"{count:,}", *(f"{peak:,.0f}" for peak in peaks))


def training() -> Iterator[str]:
    shares = read("train")["shares_of_resident_batch"]
    titles = {
        "faceae, cache": "faceae, cache",
        "faceae, arrays 64x64": "faceae, npy 64x64",
        "faceae, JPEG 178x218": "faceae, jpg 178x218",
        "tutorial script": "slow script",
    }
    for title, name in titles.items():
        yield row(title, f"{shares[name]:.2f}")
    least = min(share for name, share in shares.items() if name.startswith("faceae"))
    yield f"at most {100 * (1 - least):.0f} % of a step"


def time_to_quality() -> Iterator[str]:
    result = read("time_to_quality")
    tutorial, ours = result["curves"]["tutorial script"], result["curves"]["ours"]
    assert len(tutorial) == 3
    yield f"{tutorial[-1][1]:.2f} dB in three epochs"
    yield f"{ours[0][1]:.2f} dB before the first step"
    share = statistics.median(result["start_time_as_share_of_the_tutorial_script"])
    yield f"takes {share:.2f} of those three epochs"
    pca = result["pca_psnr_db"]
    yield f"256 components has {pca['256']:.2f} dB, and PCA of 1,024 components {pca['1024']:.2f}"
    yield f"{len(ours) - 1} epochs in this file reached {ours[-1][1]:.2f} dB"


def long_runs() -> Iterator[str]:
    result = read("long_runs")
    (run,) = result["runs"].values()
    held_out, trained = run["held_out_psnr_db"], run["training_psnr_db"]
    for epoch in (1, 3, 10, 18, 29, 32):
        (seconds, valid), (_, train) = held_out[epoch - 1], trained[epoch - 1]
        yield row(epoch, f"{seconds / 60:.1f}", f"{valid:.2f}", f"{train:.2f}")
    pca = result["pca_psnr_db"]["1024"]
    reached = next(n for n, (_, decibels) in enumerate(held_out, 1) if decibels >= pca)
    yield f"1,024 components ({pca:.2f} dB) after {reached} epochs"
    yield f"ends at {held_out[-1][1]:.2f} dB"


def recipes() -> Iterator[str]:
    result = read("recipe")
    assert result["settings"]["faces"] == 12_800
    for name, trial in result["trials"].items():
        decibels, time = trial["curve"][-1][1], trial["time_against_the_first"]
        yield row(name, f"{decibels:.2f}", f"{time:.2f}")


def generating() -> Iterator[str]:
    result = read("generate")
    ratios = {(line["group"], line["name"]): line["ratio"] for line in result["rows"]}
    for batch in (1, 16, 64, 256):
        group = f"batch {batch}"
        assert ratios[group, "ONNX Runtime"] == 1.0
        as_session = ", a thread per micro-batch" if batch >= 64 else ""
        names = (
            f"rewritten, int8, ONNX Runtime{as_session}",
            f"rewritten, ONNX Runtime{as_session}",
            "rewritten, TorchScript",
            "rewritten, PyTorch",
        )
        yield row(batch, *(f"{ratios[group, name]:.2f}" for name in names))
        shares = (result["shares_of_sgemm"], result["shares_of_reading_and_sgemm"])
        yield row(batch, *(f"{share[group][names[1]]:.2f}" for share in shares))
    plain = result["shares_of_reading_and_sgemm"]["batch 1"]["ONNX Runtime"]
    yield f"already has a share of {plain:.2f}"
    yield from profiles(result["profiles"])
    at_once = {
        kind: ratios[f"micro-batches, {kind}", "32 at once"]
        for kind in ("ONNX Runtime", "TorchScript")
    }
    yield f"{at_once['ONNX Runtime']:.2f} of the speed of 256"
    yield f"{at_once['TorchScript']:.2f} times that speed in TorchScript"


def profiles(shares: Any) -> Iterator[str]:
    ours, single = shares["ours, batch 32"], shares["ours, batch 1"]
    layout = ours["ReorderInput"] + ours["Transpose"] + ours["ReorderOutput"]
    yield (
        f"{ours['Conv']:.0%} of the time is in convolutions, {ours['FusedGemm']:.0%} in the first "
        f"matrix product, {ours['Concat']:.0%} in interleaving and {layout:.0%}"
    ).replace("%", " %")
    plain = shares["plain, batch 32"]["ConvTranspose"]
    yield f"{single['FusedGemm']:.0%} is in the first".replace("%", " %")
    yield f"{plain:.0%} is in transposed".replace("%", " %")


def errors() -> Iterator[str]:
    models = read("exact")["models"]
    titles = {
        "random weights, BatchNorms as after training": "with used BatchNorms",
        "trained for two epochs from components": "trained, fin",
    }
    for title, name in titles.items():
        ways = ("fp32, ONNX Runtime", "fp16, ONNX Runtime", "int8, ONNX Runtime")
        yield row(title, *(f"{models[name][way]['psnr_db']:.0f}" for way in ways))


def drawing() -> Iterator[str]:
    rates = rates_of("draw")
    titles = {
        "JPEG shards": "to JPEG shards",
        "a folder of JPEG files": "to a folder of .jpg",
        "a folder of PNG files": "to a folder of .png",
    }
    for title, name in titles.items():
        yield row(title, against(rates["", name], rates["", "alone"]))


def browser() -> Iterator[str]:
    result = read("web")
    ratios = {(line["group"], line["name"]): line["ratio"] for line in result["rows"]}
    for name in ("int8", "fp16", "fp32"):
        speeds = (f"{ratios[f'batch {batch}', name]:.2f}" for batch in (1, 4))
        size = f"{result['generator_bytes'][name] / 1e6:.1f}"
        yield row(name, size, *speeds, f"{result['psnr_db'][name]:.0f}")


def feature_space() -> Iterator[str]:
    result = read("feature_space")
    assert result["settings"]["faces"] == 800
    sets = (
        "1,024 components, reconstructions",
        "halves of two people",
        "variational model, new faces",
        "plain model, new faces",
        "1,024 components, normal draws",
    )
    for name, space in result["spaces"].items():
        ratios = (f"{space['ratios'][title]:.1f}" for title in sets)
        yield row(name, *ratios)
    columns = ("frechet_distance", "recall", "coverage", "sharpness", "copied_share")
    for title, quality in result["chosen"].items():
        yield row(title, *(f"{quality[column]:.2f}" for column in columns))
    smears = result["chosen"]["variational model, new faces"]
    yield f"precision of {smears['precision']:.2f}"


def compared(result: dict[str, Any]) -> Iterator[str]:
    """Yield the rows of the trials of `benchmarks.new_faces`."""
    floor = result["photographs"]

    def distance(figures: dict[str, float]) -> str:
        return f"{figures['frechet_distance'] / floor['frechet_distance']:.1f}"

    def rest(figures: dict[str, float]) -> tuple[str, ...]:
        return tuple(f"{figures[name]:.2f}" for name in ("recall", "coverage", "sharpness"))

    for name, trial in result["trials"].items():
        new, back = trial["new_faces"], trial["reconstructions"]
        minutes, psnr = f"{trial['minutes']:.0f}", f"{trial['psnr_db']:.2f}"
        yield row(name, minutes, psnr, distance(new), *rest(new), distance(back))
    yield row("held-out photographs", "", "", "1.0", *rest(floor), "").replace("|  ", "| ")


def new_faces() -> Iterator[str]:
    result = read("new_faces")
    floor = result["photographs"]
    yield from compared(result)
    copied = [
        100 * trial["new_faces"]["copied_share"]
        for name, trial in result["trials"].items()
        if ", pairs" in name
    ]
    yield f"{min(copied):.1f} to {max(copied):.1f} % of the pairs"
    yield f"and {100 * floor['copied_share']:.1f} % of the photographs"
    predicted = result["predictions"]["32"]
    assert predicted["binds"] == "launches"
    yield f"{predicted['steps_per_s']:.0f} steps a second in batches of 32"
    yield f"{predicted['operations']} operations a step"
    yield f"{predicted['epochs']} epochs on {predicted['faces']:,} faces"
    yield f"in {predicted['hours']:.1f} hours"
    yield from compared(read("new_faces_drawn"))


def serving() -> Iterator[str]:
    rates, result = rates_of("serve"), read("serve")
    levels = ("1 client", "8 clients", "64 clients")
    for title, name in {"LitServe": "LitServe", "a FastAPI handler": "FastAPI handler"}.items():
        ours = (against(rates[level, "faceae serve"], rates[level, name]) for level in levels)
        yield row(title, *ours)
    ratio = result["targets"]["p99_of_one_client_against_the_bare_model"]
    yield f"latency is {ratio:.2f} times"


def edits() -> Iterator[str]:
    result = read("edits")
    for search in ("free", "kept"):
        measured, redrawn = result[search]["edits"]["edits"], result[search]["redrawn"]
        by_name = {edit["name"]: edit for edit in measured}
        for each in redrawn:
            edit = by_name[each["name"]]
            shares = (
                f"{share:.0%}"
                for share in (edit["turned_on"], edit["turned_off"], edit["same_person"])
            )
            yield row(
                f"{each['name']}, {search}",
                *shares,
                f"{each['likeness']:.2f}",
                f"{each['edited_drift']:.2f}",
                f"{each['redrawn_drift']:.2f}",
            )
        turned = [edit["turned_on"] for edit in measured if edit["turned_on"] is not None]
        yield f"{statistics.fmean(turned):.0%} of the faces, {search}"
    yield f"a width of {result['settings']['width']}"


def studies() -> Iterator[str]:
    found = read("tune")["studies"]
    for epochs in (4, 16):
        shares = [study["share"] for study in found[f"{epochs} epochs"]]
        low, high = min(shares), max(shares)
        yield row(f"{epochs}", f"{statistics.median(shares):.3f} ({low:.3f}-{high:.3f})")
    added = [study["added_seconds"] for studies in found.values() for study in studies]
    yield f"adds {1000 * statistics.median(added):.0f} ms"
    yield "below 1 % of trials"


CLAIMS: dict[str, Callable[[], Iterator[str]]] = {
    "Packing": packing,
    "Packing many images": packing_many,
    "Listing a zip": zip_directory,
    "Aligning": aligning,
    "All of CelebA": celeba,
    "Loading": loading,
    "Memory of an epoch": epoch_memory,
    "Training speed": training,
    "Time to a quality": time_to_quality,
    "Long runs": long_runs,
    "Recipes": recipes,
    "Generating": generating,
    "Errors of exported decoders": errors,
    "Drawing into files": drawing,
    "In the browser": browser,
    "Feature space of new faces": feature_space,
    "New faces": new_faces,
    "Edits": edits,
    "Serving": serving,
    "Studies": studies,
}
INPUTS = {
    "learning rate 0.01",
    "momentum 0.9",
    "(30.93 dB)",
    "below 0.03",
    "at 0.03",
    "--truncations 1 1.1 1.2",
    "Truncations of 1.1 and 1.2",
}
"""Settings that a section names, and a figure that stands in it twice."""


@pytest.mark.parametrize("heading", CLAIMS)
def test_figures_follow_from_the_results(heading: str) -> None:
    section = SECTIONS[heading]
    assert [claim for claim in CLAIMS[heading]() if claim not in section] == []


@pytest.mark.parametrize("heading", list(SECTIONS)[1:])
def test_no_other_figure_is_quoted(heading: str) -> None:
    rest = SECTIONS[heading]
    for known in (*CLAIMS[heading](), *INPUTS):
        rest = rest.replace(known, "")
    assert re.findall(r"\d+\.\d+.*|\d+ (?:dB|MiB|MB|%|seconds|minutes).*", rest) == []
