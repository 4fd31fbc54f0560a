"""Every figure in the prose of benchmarks/README.md, computed from the results files.

`benchmarks.readme` writes the tables; test_readme.py compares them.
"""

import json
import re
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.readme import remove_regions

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
PROSE = remove_regions((BENCHMARKS / "README.md").read_text(encoding="utf-8"))
SECTIONS = dict(part.split("\n", 1) for part in PROSE.split("\n## "))
"""What is written by hand in each section, by its heading."""


def read(name: str) -> Any:
    return json.loads((BENCHMARKS / "results" / f"{name}.json").read_text(encoding="utf-8"))


def packing() -> Iterator[str]:
    result = read("pack")
    yield f"{result['settings']['count']:,} in this run"
    yield f"at {result['share_of_decode_limit']['untouched']:.2f} of the rate"


def zip_directory() -> Iterator[str]:
    yield f"{read('zip_directory')['settings']['members']:,} stored members"


def aligning() -> Iterator[str]:
    result = read("align")
    scenes, backgrounds = result["scenes"], result["backgrounds"]
    yield f"below a fifth of its scene, is found in {scenes['recall_below_a_fifth']:.3f}"
    yield f"largest face found in {scenes['largest']:.3f}"
    yield f"{backgrounds['false_faces']} faces in {backgrounds['pictures']} drawn scenes without"


def celeba() -> Iterator[str]:
    result = read("pack_celeba")
    assert (result["one_worker"]["same_files"], result["resumed"]["same_files"]) == (True, True)
    assert result["verify"]["num_problems"] == 0
    assert result["one_worker"]["seconds"] < result["seconds"]
    yield f"{sum(result['num_samples'].values()):,} drawn images"
    yield f"{result['num_shards']} shards of {result['num_bytes'] / 1e6:,.0f} MB"


def loading() -> Iterator[str]:
    result = read("load")
    best = {"JPEG 178x218": "FFCV, 2 threads", "arrays 64x64": "DataLoader, mapped file, 0 workers"}
    for line in result["rows"]:
        assert line["name"] != best.get(line["group"]) or line["ratio"] == 1
    yield f"from {result['settings']['count']:,} drawn"
    yield f"at {result['cache_share_of_copying']:.2f} of the rate"


def training() -> Iterator[str]:
    shares = read("train")["shares_of_resident_batch"]
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
    held_out = run["held_out_psnr_db"]
    pca = result["pca_psnr_db"]["1024"]
    reached = next(n for n, (_, decibels) in enumerate(held_out, 1) if decibels >= pca)
    yield f"1,024 components ({pca:.2f} dB) after {reached} epochs"
    yield f"ends at {held_out[-1][1]:.2f} dB"


def recipes() -> Iterator[str]:
    yield f"after {read('recipe')['settings']['faces']:,} faces"


def generating() -> Iterator[str]:
    result = read("generate")
    ratios = {(line["group"], line["name"]): line["ratio"] for line in result["rows"]}
    plain = ("ONNX Runtime", "PyTorch", "PyTorch", "torch.compile")
    for group, best in zip(result["shares_of_sgemm"], plain, strict=True):
        peers = [row for row in result["rows"] if row["group"] == group and row["peer"]]
        assert max(peers, key=lambda row: row["ratio"])["name"] == best
    single = result["shares_of_reading_and_sgemm"]["batch 1"]
    yield f"reaches a share of {single['ONNX Runtime']:.2f}"
    yield f"ours {single['rewritten, ONNX Runtime']:.2f}"
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


def feature_space() -> Iterator[str]:
    result = read("feature_space")
    yield f"sets of {result['settings']['faces']} pictures"
    smears = result["chosen"]["variational model, new faces"]
    yield f"precision of {smears['precision']:.2f}"


def new_faces() -> Iterator[str]:
    result = read("new_faces")
    floor = result["photographs"]
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
    yield f"with {read('new_faces_drawn')['settings']['samples']:,} new ones"


def serving() -> Iterator[str]:
    result = read("serve")
    yield f"at {result['settings']['open_load']} of the handler's rate"
    ratio = result["targets"]["p99_of_one_client_against_the_bare_model"]
    yield f"latency is {ratio:.2f} times"


def edits() -> Iterator[str]:
    result = read("edits")
    for search in ("free", "kept"):
        measured = result[search]["edits"]["edits"]
        turned = [edit["turned_on"] for edit in measured if edit["turned_on"] is not None]
        yield f"{statistics.fmean(turned):.0%} of the faces, {search}"
    yield f"a width of {result['settings']['width']}"


def studies() -> Iterator[str]:
    found = read("tune")["studies"]
    added = [study["added_seconds"] for studies in found.values() for study in studies]
    yield f"adds {1000 * statistics.median(added):.0f} ms"
    yield "below 1 % of trials"


CLAIMS: dict[str, Callable[[], Iterator[str]]] = {
    "Packing": packing,
    "Listing a zip": zip_directory,
    "Aligning": aligning,
    "All of CelebA": celeba,
    "Loading": loading,
    "Training speed": training,
    "Time to a quality": time_to_quality,
    "Long runs": long_runs,
    "Recipes": recipes,
    "Generating": generating,
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
    for known in (*CLAIMS.get(heading, tuple)(), *INPUTS):
        rest = rest.replace(known, "")
    assert re.findall(r"\d+\.\d+.*|\d+ (?:dB|MiB|MB|%|seconds|minutes).*", rest) == []
