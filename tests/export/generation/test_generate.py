"""Faces by number: the same bytes however they are drawn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from faceae.latent import latent_noise
from faceae.runs import TrainedModel
from faceae_export import (
    CPU_MICRO_BATCH,
    Session,
    encode_faces,
    generate_faces,
    open_model,
    open_session,
)
from faceae_export.generation._generate import generate_spans

CPU = torch.device("cpu")
COUNT = 3 * CPU_MICRO_BATCH + 5
OPENERS: dict[str, Callable[[TrainedModel, Path], Session]] = {
    "torch": lambda trained, _: open_model(trained, "generator", CPU),
    "onnx": lambda _, folder: open_session(folder / "generator.onnx", CPU),
    "ts": lambda _, folder: open_session(folder / "generator.ts", CPU),
}


def draw(
    session: Session, start: int = 0, count: int = COUNT, batch_size: int | None = None
) -> NDArray[np.uint8]:
    batches = generate_faces(session, seed=3, start=start, count=count, batch_size=batch_size)
    return np.concatenate(list(batches))


@pytest.mark.parametrize("engine", OPENERS)
def test_same_bytes_whatever_the_batches_the_start_and_the_threads(
    trained: TrainedModel, exported: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    expected = draw(OPENERS[engine](trained, exported))
    assert expected.shape == (COUNT, 32, 32, 3)
    for threads in (1, 2, 3):
        monkeypatch.setattr("torch.get_num_threads", lambda n=threads: n)
        session = OPENERS[engine](trained, exported)
        for batch_size in (1, 40, 1000):
            assert np.array_equal(draw(session, batch_size=batch_size), expected)
        for start, count in ((0, 1), (31, 2), (COUNT - 3, 3)):
            assert np.array_equal(draw(session, start, count), expected[start : start + count])


def test_faces_are_those_of_their_numbers(trained: TrainedModel) -> None:
    session = open_model(trained, "generator", CPU)
    noise = latent_noise(3, 0, COUNT, 16)
    one_by_one = [
        session.run(noise[i : i + 1], np.array(1, np.float32)) for i in range(0, COUNT, 17)
    ]
    found = draw(session)[::17].astype(int)
    assert np.abs(found - np.concatenate(one_by_one)).max() <= 1


def test_several_spans(trained: TrainedModel) -> None:
    session = open_model(trained, "generator", CPU)
    spans = [range(5, 40), range(64, 96), range(7, 8)]
    found = np.concatenate(list(generate_spans(session, seed=3, spans=spans, truncation=1)))
    expected = draw(session)
    assert np.array_equal(found, np.concatenate([expected[s.start : s.stop] for s in spans]))


def test_batches_are_no_larger_than_asked_for(trained: TrainedModel) -> None:
    batches = generate_faces(
        open_model(trained, "generator", CPU), seed=0, start=10, count=100, batch_size=64
    )
    assert [len(batch) for batch in batches] == [54, 46]


def test_encoded_in_order(trained: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: 4)
    faces = draw(open_model(trained, "generator", CPU))
    found = encode_faces(iter([faces[:50], faces[50:]]), lambda face: face.tobytes())
    assert list(found) == [face.tobytes() for face in faces]
