"""samples-SPLIT.json and the verdict in words."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from faceae.errors import FaceaeError
from faceae.evaluation.samples import (
    SampleQuality,
    SampleRecord,
    SpaceName,
    TextureSpace,
    describe_quality,
)

FLOOR = SampleQuality(
    num_images=800,
    frechet_distance=2.0,
    kernel_distance=0.01,
    precision=0.8,
    recall=0.8,
    density=0.9,
    coverage=0.96,
    sharpness=1.0,
    nearest_train=1.0,
    copied_share=0.01,
)
RECORD = SampleRecord(
    split="test",
    num_asked=1000,
    seed=0,
    truncation=1.1,
    num_train_images=6400,
    dataset_hash="d",
    is_run_dataset=True,
    weights_hash="w",
    space=TextureSpace().name,
    new_faces=FLOOR,
    reconstructions=FLOOR,
    photographs=FLOOR,
)


def test_reads_what_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "samples-test.json"
    RECORD.save(path)
    assert SampleRecord.load(path) == RECORD


def test_reads_figures_of_before_truncations(tmp_path: Path) -> None:
    path = tmp_path / "samples-test.json"
    RECORD.save(path)
    fields = json.loads(path.read_text())
    del fields["truncation"]
    path.write_text(json.dumps(fields))
    assert SampleRecord.load(path).truncation == 1.0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "faceae-samples", "version": 2}'])
def test_foreign_file_is_an_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "samples-test.json"
    path.write_text(text)
    with pytest.raises(FaceaeError, match=r"samples-test\.json: damaged.*`faceae eval`"):
        SampleRecord.load(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "as good as photographs"),
        ({"frechet_distance": 30.0}, "far from photographs"),
        ({"frechet_distance": 60.0}, "unlike photographs"),
        ({"sharpness": 0.2}, "blurred"),
        ({"sharpness": 2.0}, "noisy"),
        ({"recall": 0.04}, "little of the variety"),
        ({"recall": 0.4}, "some of the variety"),
        ({"copied_share": 0.2}, "20% of them look copied"),
        ({"copied_share": 0.02}, "no sign of copied"),
    ],
)
def test_verdict_names_the_fault(changes: dict[str, float], words: str) -> None:
    assert words in describe_quality(replace(RECORD, new_faces=replace(FLOOR, **changes)))


def test_verdict_in_another_space_gives_the_ratio_only() -> None:
    space = SpaceName(name="inception-v3", version="2015-12-05", size=2048)
    new_faces = replace(FLOOR, frechet_distance=30.0)
    verdict = describe_quality(replace(RECORD, space=space, new_faces=new_faces))
    assert "at 15.0 times the distance" in verdict
    assert "far" not in verdict
