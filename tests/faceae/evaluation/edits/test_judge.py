"""A classifier of pixels."""

import numpy as np
import torch

from faceae.editing import balanced_accuracy
from faceae.evaluation.edits import train_judge

CPU = torch.device("cpu")


def test_the_judge_learns_what_pixels_show_and_ignores_unknown_labels() -> None:
    random = np.random.default_rng(0)
    labels = random.choice([-1, 1], (96, 2)).astype(np.int8)
    pixels = random.integers(80, 120, (96, 3, 32, 32))
    pixels[labels[:, 0] == 1, 0] += 60
    pixels[labels[:, 1] == 1, 2, 20:] += 60
    images = torch.from_numpy(pixels.astype(np.uint8))
    known = labels.copy()
    known[::3] = 0
    state = torch.get_rng_state()
    judge = train_judge(images, known, steps=60, device=CPU)
    assert torch.equal(torch.get_rng_state(), state)
    assert (balanced_accuracy(judge.score(images), labels) > 0.95).all()
