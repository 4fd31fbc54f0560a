"""The file of an evaluation, written, read and damaged."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from faceae.errors import FaceaeError
from faceae.evaluation import EvalRecord, PcaRecord, RankedFace, Score

SCORE = Score(psnr_db=20.0, mean_image_psnr_db=21.0, ssim=0.5)
RECORD = EvalRecord(
    split="test",
    num_images=3,
    dataset_hash="d",
    is_run_dataset=True,
    weights_hash="w",
    model=SCORE,
    pca=PcaRecord(num_components=4, num_fit_images=5, num_train_images=6, score=SCORE),
    worst=(RankedFace(index=2, psnr_db=10.0), RankedFace(index=0, psnr_db=11.0)),
    best=(RankedFace(index=1, psnr_db=30.0, name="faces/a.jpg"),),
)


def test_reads_a_file_without_names(tmp_path: Path) -> None:
    path = tmp_path / "eval.json"
    RECORD.save(path)
    record = json.loads(path.read_text())
    for face in record["worst"] + record["best"]:
        del face["name"]
    path.write_text(json.dumps(record))
    assert EvalRecord.load(path).best == (RankedFace(index=1, psnr_db=30.0),)


@pytest.mark.parametrize(
    "record",
    [
        RECORD,
        replace(RECORD, pca=None),
        replace(
            RECORD,
            model=replace(SCORE, mean_image_psnr_db=math.inf),
            best=(RankedFace(index=1, psnr_db=math.inf),),
        ),
    ],
    ids=["whole", "no PCA", "infinite"],
)
def test_reads_what_it_wrote(record: EvalRecord, tmp_path: Path) -> None:
    path = tmp_path / "eval.json"
    record.save(path)
    assert EvalRecord.load(path) == record
    json.loads(path.read_text(), parse_constant=pytest.fail)  # NaN and Infinity are no JSON


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "\xff", '{"format": "faceae-eval", "version": 2}']
)
def test_foreign_file_is_an_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "eval.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(FaceaeError, match=r"eval\.json: damaged.*run `faceae eval` again"):
        EvalRecord.load(path)


def test_missing_score_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "eval.json"
    RECORD.save(path)
    record = json.loads(path.read_text())
    del record["model"]["ssim"]
    path.write_text(json.dumps(record))
    with pytest.raises(FaceaeError, match="ssim"):
        EvalRecord.load(path)
