"""Exact search in blocks."""

import pytest
import torch

from faceae.errors import FaceaeError
from faceae.explore import _nearest, distance_blocks, find_nearest


@pytest.fixture(params=[1, 7, 2**14])
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_nearest, "_BLOCK_FACES", request.param)
    monkeypatch.setattr(_nearest, "_BLOCK_DISTANCES", 5 * request.param)


def make_features(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("k", [1, 4, 23])
def test_blocks_find_what_all_distances_say(k: int) -> None:
    queries, faces = make_features(13, 0), make_features(23, 1)
    found = find_nearest(queries, faces, k)
    distances = (queries.double()[:, None] - faces.double()).norm(dim=2)
    expected = distances.sort(dim=1)
    assert torch.equal(found.rows, expected.indices[:, :k])
    torch.testing.assert_close(found.distances, expected.values[:, :k])
    blocks = torch.cat([block for _, block in distance_blocks(queries, faces)])
    torch.testing.assert_close(blocks, distances)


def test_a_face_is_its_own_nearest() -> None:
    faces = make_features(50, 0)
    found = find_nearest(faces, faces, 2)
    assert found.rows[:, 0].tolist() == list(range(50))
    assert float(found.distances[:, 0].max()) < 1e-6


@pytest.mark.parametrize("k", [0, 24])
def test_more_than_there_are(k: int) -> None:
    with pytest.raises(FaceaeError, match=f"`k` must be 1 to 23.* got {k}"):
        find_nearest(make_features(2, 0), make_features(23, 1), k)
