"""faceae report."""

import base64
import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import pytest

import faceae_shards
from faceae.cli import run
from faceae.evaluation.edits import EditQuality, EditRecord

CURVES = [
    "Quality (valid)",
    "Time to quality (valid)",
    "Loss",
    "Throughput",
    "Where the time goes",
    "Learning rate",
]


class Page(HTMLParser):
    """What a page shows: its text, and its pictures by their alternative texts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = ""
        self.pictures: dict[str, bytes] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag == "img":
            source, title = attributes["src"], attributes["alt"]
            assert source is not None
            assert title is not None
            head, data = source.split(",", 1)
            assert head in ("data:image/png;base64", "data:image/svg+xml;base64")
            self.pictures[title] = base64.b64decode(data)

    def handle_data(self, data: str) -> None:
        self.text += " ".join(data.split()) + "|"


@pytest.fixture
def run_copy(fitted_run: Path, tmp_path: Path) -> Path:
    """A run that may be written to, whose name needs care in HTML."""
    path = tmp_path / "a & <b>"
    shutil.copytree(fitted_run, path)
    return path


def svg_text(svg: bytes) -> str:
    return " ".join(ElementTree.fromstring(svg).itertext())


def test_page_of_a_finished_run(run_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(run_copy)]) == 0
    assert "report.html: open it in a browser" in capsys.readouterr().out
    page = Page(run_copy / "report.html")
    assert list(page.pictures) == [*CURVES, "Held-out faces after epoch 1"]
    assert "a & <b>" in page.text
    assert "finished after 1 epoch|" in page.text
    assert re.search(r"\d\.\d\d dB\|best held-out PSNR, epoch 1", page.text)
    assert re.search(r"\|\d+\.\d%\|of the training time waits for data", page.text)
    assert "|latent size|16|" in page.text
    assert re.search(r"\|lr\|0\.\d+\|", page.text)
    assert "|None|" not in page.text
    times = svg_text(page.pictures["Where the time goes"])
    assert "waiting for data" in times
    assert "computing" in times
    grid = (run_copy / "grids" / "epoch-0001.png").read_bytes()
    assert page.pictures["Held-out faces after epoch 1"] == grid


def test_page_needs_no_other_file(run_copy: Path) -> None:
    assert run(["report", str(run_copy)]) == 0
    page = Page(run_copy / "report.html")
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    for svg in page.pictures.values():
        assert b'href="http' not in svg


def test_same_run_same_bytes(run_copy: Path) -> None:
    for name in ("one.html", "two.html"):
        assert run(["report", str(run_copy), "-o", str(run_copy / name)]) == 0
    assert (run_copy / "one.html").read_bytes() == (run_copy / "two.html").read_bytes()


def test_evaluation_is_shown_with_pca(run_copy: Path, dataset_npy: faceae_shards.Dataset) -> None:
    for split in ("test", "valid"):
        argv = ["eval", str(run_copy), str(dataset_npy.path), "--loader", "webdataset"]
        assert run([*argv, "--split", split]) == 0
    assert run(["report", str(run_copy)]) == 0
    page = Page(run_copy / "report.html")
    assert "PCA, 16 components" in page.text
    assert "fitted on 24 of 24 faces" in page.text
    assert "earlier weights" not in page.text
    assert "test: Reconstructions are" in page.text
    worst = json.loads((run_copy / "eval-test.json").read_text())["worst"][0]
    assert f"Worst: {worst['name']} ({worst['psnr_db']:.1f} dB), " in page.text
    assert "PCA" in svg_text(page.pictures["Quality (valid)"])
    picture = (run_copy / "eval-test.png").read_bytes()
    assert page.pictures["Worst and best faces (test)"] == picture


def test_pca_of_another_split_is_no_mark_for_the_curve(
    run_copy: Path, dataset_npy: faceae_shards.Dataset
) -> None:
    argv = ["eval", str(run_copy), str(dataset_npy.path), "--loader", "webdataset"]
    assert run(argv) == 0
    assert run(["report", str(run_copy)]) == 0
    page = Page(run_copy / "report.html")
    assert "PCA, 16 components" in page.text
    assert "PCA" not in svg_text(page.pictures["Quality (valid)"])


def test_evaluation_of_earlier_weights_is_marked(
    run_copy: Path, dataset_npy: faceae_shards.Dataset
) -> None:
    argv = ["eval", str(run_copy), str(dataset_npy.path), "--loader", "webdataset", "--no-pca"]
    assert run(argv) == 0
    path = run_copy / "eval-test.json"
    path.write_text(re.sub('("weights_hash": ")[0-9a-f]+', r"\1old", path.read_text()))
    assert run(["report", str(run_copy)]) == 0
    assert "12 faces; earlier weights of this run" in Page(run_copy / "report.html").text


def test_run_that_has_just_begun(run_copy: Path) -> None:
    (run_copy / "metrics.jsonl").unlink()
    (run_copy / "model.safetensors").unlink()
    shutil.rmtree(run_copy / "grids")
    assert run(["report", str(run_copy)]) == 0
    page = Page(run_copy / "report.html")
    assert page.pictures == {}
    assert "0 of 1 epochs done; at work, or stopped" in page.text
    assert "No metrics yet" in page.text


def test_penalty_and_skipped_steps_are_shown_where_there_are_some(run_copy: Path) -> None:
    path = run_copy / "metrics.jsonl"
    assert run(["report", str(run_copy)]) == 0
    page = Page(run_copy / "report.html")
    assert "penalty" not in svg_text(page.pictures["Loss"])
    assert "skipped" not in page.text.split("|faces to train on|")[0]
    text = path.read_text().replace('"penalty": 0.0', '"penalty": 0.1')
    path.write_text(text.replace('"skipped_steps": 0', '"skipped_steps": 3'))
    assert run(["report", str(run_copy)]) == 0
    page = Page(run_copy / "report.html")
    assert "penalty" in svg_text(page.pictures["Loss"])
    assert "|3|steps skipped" in page.text


def test_run_stopped_within_its_first_epoch(run_copy: Path) -> None:
    path = run_copy / "metrics.jsonl"
    first = path.read_text().splitlines(keepends=True)[0]
    path.write_text(first + '{"step": 3, "epo')
    assert run(["report", str(run_copy)]) == 0
    page = Page(run_copy / "report.html")
    assert list(page.pictures)[:4] == CURVES[2:]
    assert "best held-out PSNR" not in page.text


def test_run_killed_before_the_grid_of_its_last_epoch(run_copy: Path) -> None:
    (run_copy / "grids" / "epoch-0001.png").rename(run_copy / "grids" / "epoch-x.png")
    assert run(["report", str(run_copy)]) == 0
    assert list(Page(run_copy / "report.html").pictures) == CURVES


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("run.json", "run.json: damaged"),
        ("metrics.jsonl", "metrics.jsonl: line 1 is damaged"),
        ("eval-test.json", "eval-test.json: damaged"),
    ],
)
def test_damaged_file_is_named(
    run_copy: Path, name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_copy / name).write_text("{\n")
    assert run(["report", str(run_copy)]) == 1
    assert message in capsys.readouterr().err
    assert not (run_copy / "report.html").exists()


def test_no_run_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(tmp_path)]) == 1
    assert "not a training run" in capsys.readouterr().err


def test_edits(run_copy: Path) -> None:
    def quality(name: str, other: str, drift: float) -> EditQuality:
        return EditQuality(
            name=name,
            judge_accuracy=0.91,
            num_without=40,
            num_with=2,
            turned_on=0.93,
            turned_off=None,
            monotonic=0.87,
            mean_scores=(0.0,) * 7,
            drift={other: drift},
            same_person=0.79,
            median_rank=1.0,
        )

    record = EditRecord(
        split="test",
        num_faces=42,
        num_train_images=160,
        num_persons=11,
        knows_persons=True,
        strengths=(-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0),
        dataset_hash="0",
        weights_hash="of other weights",
        edits=(quality("Smiling", "Young", 0.25), quality("Young", "Smiling", -0.5)),
        not_measured={"Bald": "the dataset has too few labels of it"},
    )
    record.save(run_copy / "edits-test.json")
    assert run(["report", str(run_copy)]) == 0
    page = Page(run_copy / "report.html")
    assert "Smiling|0.91|93%|-|87%|79%|0.25" in page.text
    assert "Bald|not measured: the dataset has too few labels of it" in page.text
    assert "earlier weights" in page.text
    drifts = svg_text(page.pictures["drift of the attributes by the directions"])
    assert drifts.count("Smiling") == drifts.count("Young") == 2
    assert "nan" not in page.text


def test_damaged_edits(run_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run_copy / "edits-test.json").write_text("{", encoding="utf-8")
    assert run(["report", str(run_copy)]) == 1
    assert "edits-test.json" in capsys.readouterr().err
