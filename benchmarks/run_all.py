"""Runs every benchmark one after another, and says which ran, which lacked something, which failed.

    python -m benchmarks.run_all --quick               # each with tiny work
    python -m benchmarks.run_all --photos FOLDER --data PACKED --run RUN ...

Quick results show that the scripts and their peers work. They are no measurements: models are
small, and the warm-up is the only round. So they go to `quick-results/` in the current folder. Full
results go to `benchmarks/results`. `--results` names another folder. A script that needs
photographs or runs uses those given. Without them, quick runs use drawn faces and a model trained
on them for an epoch, and full runs leave the script out.

A script whose peer is missing names it and goes on without it. The exit status is 1 if a script
failed.
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import runner
from benchmarks.shared import apart, launch

PHOTOS, ZIP, DATA, RUN = "PHOTOS", "ZIP", "DATA", "RUN"
"""Stand for paths in the arguments of a script."""
_FACES = 720
_SPLITS = ("train",) * 8 + ("valid", "test")
"""Split of each of the ten people of quick runs. Each has 72 faces, so that a held-out split has
more faces than the 64 features of the built-in space."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Script:
    """A benchmark, and how it is called."""

    name: str
    quick: Sequence[str] = ()
    """Arguments for tiny work."""
    full: Sequence[str] = ()
    """Arguments for a measurement, where they are not the defaults."""

    @property
    def needs(self) -> set[str]:
        """What the arguments of a measurement name."""
        return {PHOTOS, ZIP, DATA, RUN} & set(self.full)


def _script(name: str, quick: str = "", full: str = "") -> Script:
    return Script(name=name, quick=quick.split(), full=full.split())


SCRIPTS = (
    _script("zip_directory", "--members 5000 --rounds 0"),
    _script("pack", "--count 200 --rounds 0"),
    _script("pack_scale", "--counts 100 200 400 --rounds 1"),
    _script("pack_celeba", "--count 2000 --shard 20"),
    _script("load", "--count 768 --rounds 0 --seconds 0.01"),
    _script("load_memory", "--counts 200 --drawn 100"),
    _script("train", "--count 256 --rounds 0 --width 8"),
    _script("tune", "--faces 300 --trials 1 --epochs 1 --rounds 1"),
    _script("generate", "--rounds 0 --batches 16 --compared 16 --width 8"),
    _script("exact", "--faces 50 --width 8"),
    _script("draw", "--count 64 --rounds 0 --width 8"),
    _script("serve", "--rounds 1 --seconds 0.5 --width 8", "--soak 45"),
    _script(
        "scaling",
        "--counts 256 512 --drawn 50 --batches 1 4 --sizes 32 64 --width 8 --rounds 1",
    ),
    _script("web", "--rounds 0 --width 8"),
    _script(
        "edits",
        "--faces 300 --epochs 1 --width 8 --latent-size 32 --edited 5 --judge-steps 40"
        " --redrawn 40",
    ),
    _script(
        "align",
        f"{ZIP} --drawn 10 --scenes 8 --packed 20 --large 4 --rounds 0",
        f"{ZIP} --packed 600",
    ),
    _script("article", f"{PHOTOS} --epochs 1 --width 8 --count 100 --rounds 1", PHOTOS),
    _script(
        "time_to_quality",
        f"{PHOTOS} --epochs 2 --width 8 --components 16 64",
        f"{PHOTOS} --epochs 25",
    ),
    _script("recipe", f"{DATA} --faces 64 --measure-every 64 --width 8", DATA),
    _script("long_runs", f"{DATA} {RUN} --components 16 64", f"{DATA} {RUN}"),
    _script("new_faces", f"{DATA} {RUN} --samples 300", f"{DATA} {RUN} --priors normal gmm flow"),
    _script("feature_space", f"{DATA} --components 64 16", DATA),
)


def main() -> None:
    """Run the scripts and print a summary."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="tiny work; measures nothing")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these scripts")
    parser.add_argument("--results", type=Path, help="folder to write results to")
    parser.add_argument("--photos", type=Path, help="photographs, a folder for each person")
    parser.add_argument("--zip", type=Path, help="zip of square JPEGs, a face in each middle")
    parser.add_argument("--data", type=Path, help="packed dataset of photographs, 64x64")
    parser.add_argument("--run", type=Path, help="a run of `faceae train` on it")
    options = parser.parse_args()
    unknown = set(options.only) - {script.name for script in SCRIPTS}
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    results = options.results or (Path("quick-results") if options.quick else runner.KEPT)
    given = {PHOTOS: options.photos, ZIP: options.zip, DATA: options.data, RUN: options.run}
    paths = {name: str(path.resolve()) for name, path in given.items() if path}
    chosen = [script for script in SCRIPTS if not options.only or script.name in options.only]
    with tempfile.TemporaryDirectory() as folder:
        if options.quick:
            paths = _make_inputs(Path(folder)) | paths
        outcomes = dict(_run_all(chosen, paths, results.resolve(), options.quick))
    if not options.only:
        others = sorted(list_scripts() - {script.name for script in SCRIPTS})
        outcomes |= dict.fromkeys(others, "left out: run_all does not know its arguments")
    _print_summary(outcomes, results)
    sys.exit(any(outcome.startswith("failed") for outcome in outcomes.values()))


def list_scripts() -> set[str]:
    """Return the names of all modules that are commands."""
    folder = Path(__file__).parent
    return {path.stem for path in folder.glob("*.py")} - {"__init__", "runner", "readme", "run_all"}


def _run_all(
    scripts: Sequence[Script], paths: dict[str, str], results: Path, quick: bool
) -> Iterator[tuple[str, str]]:
    """Yield the name and the outcome of each script."""
    for script in scripts:
        arguments = script.quick if quick else script.full
        lacking = {PHOTOS, ZIP, DATA, RUN} & set(arguments) - set(paths)
        if lacking:
            yield script.name, f"left out: --{' --'.join(sorted(lacking)).lower()} is not given"
            continue
        print(f"\n==== {script.name}", flush=True)
        start = time.perf_counter()
        status = run_script(script.name, [paths.get(each, each) for each in arguments], results)
        seconds = f"{time.perf_counter() - start:.0f} s"
        if status == runner.LACKING:
            yield script.name, f"left out after {seconds}: see above for what is missing"
        else:
            yield script.name, f"{'ok' if status == 0 else f'failed ({status})'} {seconds}"


def run_script(name: str, arguments: Sequence[str], results: Path) -> int:
    """Run one script apart from this process, and return its exit status."""
    variables = {"BENCHMARK_RESULTS": str(results)}
    return apart.run(["-m", launch.NAME, f"benchmarks.{name}", *arguments], variables)


def _make_inputs(folder: Path) -> dict[str, str]:
    """Draw faces of some people, pack them and train a small model for an epoch."""
    import faceae
    from faceae.synthetic import SynthConfig, write_dataset

    drawn, photos = folder / "drawn", folder / "photos"
    write_dataset(SynthConfig(out=drawn, count=_FACES, seed=0))
    for number, path in enumerate(sorted((drawn / "img_align_celeba").iterdir())):
        place = number % len(_SPLITS)
        person = photos / _SPLITS[place] / f"person{place}"
        person.mkdir(parents=True, exist_ok=True)
        os.link(path, person / path.name)
    data, run, archive = folder / "data", folder / "run", folder / "faces.zip"
    _zip_squares(drawn / "img_align_celeba", archive)
    faceae.pack(photos, data, crop=144, size=64, encoding="npy")
    faceae.train(data, run, epochs=1, width=8, latent_size=64)
    found = {PHOTOS: photos, ZIP: archive, DATA: data, RUN: run}
    return {name: str(path) for name, path in found.items()}


def _zip_squares(faces: Path, archive: Path) -> None:
    import io
    import zipfile

    from PIL import Image

    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(faces.iterdir())[:60]:
            with Image.open(path) as image:
                square = image.crop((0, 20, 178, 198)).resize((250, 250))
            stream = io.BytesIO()
            square.save(stream, "JPEG", quality=95)
            target.writestr(path.name, stream.getvalue())


def _print_summary(outcomes: dict[str, str], results: Path) -> None:
    print(f"\n==== results are in {results}")
    for name, outcome in outcomes.items():
        path = results / f"{name}.json"
        missing = []
        if outcome.startswith("ok") and path.exists():
            missing = list(json.loads(path.read_text(encoding="utf-8")).get("missing_peers", ()))
        print(f"{name:16} {outcome}{'; without ' + ', '.join(missing) if missing else ''}")


if __name__ == "__main__":
    main()
