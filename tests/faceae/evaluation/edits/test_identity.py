"""Ranks of the own person among others."""

import numpy as np
import torch

from faceae.evaluation.edits._identity import Gallery, IdentitySpace


def test_the_rank_counts_persons_and_not_faces() -> None:
    gallery = Gallery(np.array([[0.0], [1.0], [2.0], [2.1], [9.0]]), ["a", "b", "c", "c", "a"])
    assert gallery.num_persons == 3
    edited = np.array([[0.1], [0.9], [2.0], [8.0]])
    assert gallery.rank(edited, np.array([0, 0, 0, 0])).tolist() == [1, 2, 3, 1]


def test_unknown_persons_are_one_a_face() -> None:
    gallery = Gallery(np.array([[0.0], [1.0], [2.0]]), [None, None, "c"])
    assert gallery.num_persons == 3
    assert gallery.rank(np.array([[2.0]]), np.array([0])).tolist() == [3]


def test_the_space_follows_persons_and_not_pictures() -> None:
    random = np.random.default_rng(0)
    persons = np.repeat(np.arange(24), 4)
    colours = random.integers(100, 160, (24, 3, 1, 1))
    light = random.integers(-90, 90, (96, 1, 1, 1))
    top = np.zeros((96, 3, 24, 24), int) + light
    top[:, :, 12:] = colours[persons] - 40
    images = torch.from_numpy(top.clip(0, 255).astype(np.uint8))
    space = IdentitySpace(images, persons.tolist())
    assert space.knows_persons
    gallery = Gallery(space.extract(images), persons.tolist())
    darker = images.clone()
    darker[:, :, :12] = 0
    ranks = gallery.rank(space.extract(darker), np.arange(96))
    assert (ranks == 1).mean() > 0.9
    assert not IdentitySpace(images, [None] * 96).knows_persons
