"""Edits of held-out faces, measured from their pixels."""

import dataclasses
import shutil
from pathlib import Path

import pytest

import faceae
import faceae_shards
from faceae.editing import Directions
from faceae.errors import FaceaeError
from faceae.evaluation.edits import EditRecord, EditsConfig, evaluate_edits
from faceae.runs import Run, read_run


@pytest.fixture(scope="module")
def run(
    attribute_run: Path,
    attribute_data: faceae_shards.Dataset,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    """A run with directions."""
    path = tmp_path_factory.mktemp("edits") / "run"
    shutil.copytree(attribute_run, path)
    faceae.find_directions(path, attribute_data.path, device="cpu")
    return read_run(path)


@pytest.fixture(scope="module")
def record(run: Run, attribute_data: faceae_shards.Dataset) -> EditRecord:
    config = EditsConfig(faces=10, judge_steps=40, device="cpu", loader="webdataset")
    return evaluate_edits(run, attribute_data, config=config)


def test_faces_turn_and_nothing_else_does(record: EditRecord) -> None:
    bright, red = record.edits
    assert (bright.name, red.name) == ("Bright", "Red")
    assert 5 <= bright.num_without <= 10
    assert bright.judge_accuracy > 0.9
    assert (bright.turned_on, bright.turned_off) == (1.0, 1.0)
    assert bright.mean_scores[0] < bright.mean_scores[3] < bright.mean_scores[6]
    # Random is not seen by the judge, and Rare has too few labels.
    assert set(bright.drift) == {"Red"}
    assert abs(bright.drift["Red"]) < bright.mean_scores[5] - bright.mean_scores[3]
    assert record.knows_persons
    assert record.num_persons == 10


def test_files(run: Run, record: EditRecord, attribute_data: faceae_shards.Dataset) -> None:
    path = run.edits_path("test")
    assert EditRecord.load(path) == record
    assert path.with_suffix(".png").is_file()
    assert record.dataset_hash == attribute_data.hash
    path.write_text("{}")
    with pytest.raises(FaceaeError, match=r"edits-test\.json"):
        EditRecord.load(path)


def test_a_direction_of_ones_own_has_no_labels(
    run: Run, attribute_data: faceae_shards.Dataset, tmp_path: Path
) -> None:
    known = Directions.load(run.directions_path)
    own = dataclasses.replace(known.found[0], name="light")
    known.put(dataclasses.replace(known.take(["Bright"]), found=(own,))).save(run.directions_path)
    config = EditsConfig(faces=5, judge_steps=20, device="cpu", loader="webdataset")
    record = evaluate_edits(run, attribute_data, tmp_path / "e.json", config)
    assert "light" in record.not_measured
    known.save(run.directions_path)


def test_bad_requests(
    run: Run,
    attribute_run: Path,
    attribute_data: faceae_shards.Dataset,
    dataset_npy: faceae_shards.Dataset,
    tmp_path: Path,
) -> None:
    with pytest.raises(FaceaeError, match="faceae directions"):
        evaluate_edits(read_run(attribute_run), attribute_data)
    with pytest.raises(FaceaeError, match="no attributes"):
        evaluate_edits(run, dataset_npy)
    with pytest.raises(FaceaeError, match=r"e\.txt"):
        evaluate_edits(run, attribute_data, tmp_path / "e.txt")
    with pytest.raises(FaceaeError, match="`faces`"):
        EditsConfig(faces=1)
    with pytest.raises(FaceaeError, match="split='train'"):
        EditsConfig(split="train")
