"""What a discriminator sees is changed at random, and gradients pass through."""

import torch

from faceae.training.step._augment import augment


def test_faces_change_alone_and_never_twice_alike() -> None:
    torch.manual_seed(0)
    images = (torch.rand(1, 3, 32, 32) * 2 - 1).expand(8, -1, -1, -1)
    first, second = augment(images), augment(images)
    assert first.shape == images.shape
    assert not torch.equal(first, second)
    assert len({face.sum().item() for face in first}) == 8
    assert first.abs().max() < 1.4


def test_faces_side_by_side_change_alike() -> None:
    torch.manual_seed(0)
    images = torch.rand(8, 3, 32, 32) * 2 - 1
    changed = augment(torch.cat([images, images], dim=1))
    torch.testing.assert_close(changed[:, :3], changed[:, 3:])


def test_about_every_second_face_has_a_hole_of_half_its_side() -> None:
    torch.manual_seed(0)
    changed = augment(torch.ones(400, 3, 32, 32))
    # The middle is never shifted out; the hole covers it for some of the faces.
    share = (changed[:, :, 16, 16] == 0).all(1).float().mean().item()
    assert 0.08 < share < 0.25


def test_gradients_pass_through() -> None:
    torch.manual_seed(0)
    images = torch.zeros(8, 3, 32, 32, requires_grad=True)
    augment(images).sum().backward()
    assert images.grad is not None
    assert (images.grad.flatten(1) != 0).any(1).all()
