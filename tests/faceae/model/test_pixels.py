"""Pixels to floats and back."""

import torch

from faceae.model import to_float, to_uint8


def test_every_pixel_value_survives_the_round_trip() -> None:
    pixels = torch.arange(256, dtype=torch.uint8)
    floats = to_float(pixels)
    assert floats.dtype == torch.float32
    assert floats[0] == -1.0
    assert floats[255] == 1.0
    assert torch.equal(to_uint8(floats), pixels)


def test_values_are_rounded_and_clamped() -> None:
    # 0.4 and 0.6 of a pixel step above -1, and values outside the range.
    floats = torch.tensor([-1 + 0.4 / 127.5, -1 + 0.6 / 127.5, -7.0, 7.0])
    assert to_uint8(floats).tolist() == [0, 1, 0, 255]


def test_bfloat16_is_rounded_in_float32() -> None:
    floats = torch.tensor([-0.5, 0.25, 0.9], dtype=torch.bfloat16)
    assert torch.equal(to_uint8(floats), to_uint8(floats.float()))


def test_input_stays_as_it_was() -> None:
    floats = torch.tensor([0.5])
    to_uint8(floats)
    assert floats.item() == 0.5


def test_channels_last_stays() -> None:
    pixels = torch.zeros(2, 3, 4, 4, dtype=torch.uint8).to(memory_format=torch.channels_last)
    floats = to_float(pixels)
    assert floats.is_contiguous(memory_format=torch.channels_last)
    assert to_uint8(floats).is_contiguous(memory_format=torch.channels_last)
