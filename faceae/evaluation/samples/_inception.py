"""The feature space of published Fréchet distances: Inception-v3, from a file of weights."""

import pickle
from pathlib import Path

import torch

from faceae.device import full_float32
from faceae.errors import FaceaeError

from ._space import SpaceName

_ENDING = "pt_inception-2015-12-05-6726825d.pth"
_SIZE = 2048


class InceptionSpace:
    """The 2,048 features before the last layer of the Inception-v3 of FID (Heusel et al., 2017).

    torch-fidelity holds the network and scales faces as the TensorFlow original does, so that
    distances compare with published ones. Nothing is downloaded.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        """Load the network.

        Args:
            path: the state dict that torch-fidelity publishes as
                pt_inception-2015-12-05-6726825d.pth.

        Raises:
            FaceaeError: torch-fidelity is not installed, or the file is missing or holds something
                else.
        """
        self.name = SpaceName(name="inception-v3", version="2015-12-05", size=_SIZE)
        self._network = _load(path).to(device)

    @torch.inference_mode()
    @full_float32()
    def extract(self, images: torch.Tensor) -> torch.Tensor:
        """Return the features of faces, N x 2048 float32; see `FeatureSpace`."""
        (features_ND,) = self._network(images)
        assert isinstance(features_ND, torch.Tensor)
        return features_ND


def _load(path: Path) -> torch.nn.Module:
    if not path.is_file():
        raise FaceaeError(f"{path}: no such file; `inception` takes {_ENDING} of torch-fidelity")
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise FaceaeError(
            "`inception` needs torch-fidelity: pip install 'faceae[inception]'"
        ) from error
    try:
        # torch-fidelity unpickles anything; this refuses what is no state dict first.
        torch.load(path, map_location="cpu", weights_only=True)
        network: torch.nn.Module = FeatureExtractorInceptionV3(
            "inception-v3-compat", [str(_SIZE)], str(path)
        )
    except (RuntimeError, pickle.UnpicklingError, EOFError, TypeError, AttributeError) as error:
        raise FaceaeError(
            f"{path}: not the Inception-v3 of FID; `inception` takes {_ENDING} of torch-fidelity"
        ) from error
    return network
