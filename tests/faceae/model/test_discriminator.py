"""The discriminator's shapes, and what its last layer sees of a batch."""

import pytest
import torch

from faceae.model import Discriminator, ModelConfig


@pytest.mark.parametrize("image_size", [32, 64, 128])
def test_one_score_for_each_face_and_a_map_for_each_halving(image_size: int) -> None:
    config = ModelConfig(image_size=image_size, latent_size=4, width=4, variant="adversarial")
    judged = Discriminator(config)(torch.rand(6, 3, image_size, image_size) * 2 - 1)
    assert judged.scores_N.shape == (6,)
    assert judged.scores_N.dtype == torch.float32
    sides = [feature.shape[-1] for feature in judged.features]
    assert sides[0] == image_size // 2
    assert sides[-1] == 4
    assert judged.features[0].shape[1] == config.width // 2


def test_equal_faces_show_in_the_scores() -> None:
    """The last layer's extra input is the deviation within groups of faces: 0 for equal ones."""
    torch.manual_seed(0)
    config = ModelConfig(image_size=32, latent_size=4, width=4, variant="adversarial")
    discriminator = Discriminator(config)
    seen = []
    discriminator.last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, -1]))
    different = torch.rand(4, 3, 32, 32) * 2 - 1
    equal = different[:1].expand(4, -1, -1, -1)
    discriminator(torch.cat([different, equal]))
    deviations = seen[0].mean((1, 2))
    assert (deviations[:4] > 0.01).all()
    assert deviations[4:].abs().max() < 1e-3
