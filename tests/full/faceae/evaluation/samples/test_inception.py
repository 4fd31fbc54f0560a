"""The Inception-v3 of FID, loaded from a file of random weights of its shape."""

from pathlib import Path

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from faceae.errors import FaceaeError
from faceae.evaluation.samples import InceptionSpace

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file like pt_inception-2015-12-05-6726825d.pth; nothing is downloaded."""
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        patch.setattr(torch, "load", lambda *args, **options: {})
        torch.manual_seed(0)
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(path))
    torch.save(network.state_dict(), path)
    return path


def test_features_of_random_weights(weights: Path) -> None:
    space = InceptionSpace(weights, CPU)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    features = space.extract(images)
    assert features.shape == (2, space.name.size)
    assert torch.isfinite(features).all()


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name, content in (("text.pth", "weights"), ("other.pth", None)):
        path = tmp_path / name
        if content is None:
            torch.save({"weight": torch.zeros(3)}, path)
        else:
            path.write_text(content)
        with pytest.raises(FaceaeError, match=rf"{name}.*`inception` takes pt_inception"):
            InceptionSpace(path, CPU)
    with pytest.raises(FaceaeError, match="no such file"):
        InceptionSpace(tmp_path / "missing.pth", CPU)


class _Exploit:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("run",))


def test_no_code_of_the_file_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "exploit.pth"
    torch.save({"weight": _Exploit()}, path)
    with pytest.raises(FaceaeError):
        InceptionSpace(path, CPU)
    assert "run" not in capsys.readouterr().out
