"""Colours: pictures in other colour spaces than sRGB look the same after packing.

Profiles are written here, and pictures are converted into their spaces with floating-point maths.
"""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from faceae_shards import decode_image, fit_image
from faceae_shards.images import encode_for_shard
from faceae_shards.images._colour import is_srgb
from faceae_shards.images._decode import check_plain_jpeg, decode

Encode = Callable[..., bytes]
Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]

D50 = np.array([0.9642, 1.0, 0.8249])
D65 = np.array([0.95047, 1.0, 1.08883])
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
SPACES = {
    "Display P3": (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), D65, None),
    "Adobe RGB": (((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), D65, 563 / 256),
    "ProPhoto": (((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), D50, 461 / 256),
    "Rec. 2020": (((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), D65, 2.5),
}
"""Primaries, white point, and gamma, None for the curve of sRGB."""


NEARLY_LOSSLESS = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}


def make_matrix(primaries: tuple[tuple[float, float], ...], white: Floats) -> Floats:
    """Return the matrix from linear RGB to XYZ, adapted to D50."""
    xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    matrix = xyz * np.linalg.solve(xyz, white)
    cones = (BRADFORD @ D50) / (BRADFORD @ white)
    return np.linalg.inv(BRADFORD) @ np.diag(cones) @ BRADFORD @ matrix


def linearise(values: Floats, gamma: float | None = None) -> Floats:
    if gamma is not None:
        return values**gamma
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def encode_values(linear: Floats, gamma: float | None = None) -> Floats:
    linear = linear.clip(0, 1)
    if gamma is not None:
        return linear ** (1 / gamma)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def write_profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Write an ICC profile of version 2."""
    tags = {b"desc": b"desc" + struct.pack(">4xI", 1) + bytes(80), **tags}
    position, table, content = 128 + 4 + 12 * len(tags), b"", b""
    for name, tag in tags.items():
        padded = tag + bytes(-len(tag) % 4)
        table += struct.pack(">4sII", name, position + len(content), len(tag))
        content += padded
    header = struct.pack(
        ">I4xI4s4s4s", position + len(content), 0x02400000, b"mntr", space, connection
    )
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", *(round(v * 65536) for v in D50))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + content


def write_xyz(values: Floats) -> bytes:
    return b"XYZ " + struct.pack(">4x3i", *(round(v * 65536) for v in values))


def write_curve(gamma: float | None) -> bytes:
    if gamma is not None:
        return b"curv" + struct.pack(">4xIH", 1, round(gamma * 256))
    values = (linearise(np.linspace(0, 1, 1024)) * 65535).round().astype(">u2")
    return b"curv" + struct.pack(">4xI", 1024) + values.tobytes()


def write_rgb_profile(name: str) -> bytes:
    primaries, white, gamma = SPACES[name]
    tags = {b"wtpt": write_xyz(D50)}
    for colour, column in zip((b"r", b"g", b"b"), make_matrix(primaries, white).T, strict=True):
        tags[colour + b"XYZ"] = write_xyz(column)
        tags[colour + b"TRC"] = write_curve(gamma)
    return write_profile(b"RGB ", b"XYZ ", tags)


def write_grey_profile(gamma: float) -> bytes:
    return write_profile(b"GRAY", b"XYZ ", {b"wtpt": write_xyz(D50), b"kTRC": write_curve(gamma)})


def convert(picture: Picture, name: str) -> Picture:
    """Return an sRGB picture as it is stored in a wider space."""
    primaries, white, gamma = SPACES[name]
    xyz = linearise(picture / 255) @ make_matrix(SRGB, D65).T
    values = encode_values(xyz @ np.linalg.inv(make_matrix(primaries, white)).T, gamma)
    return (values * 255).round().astype(np.uint8)


def to_lab(xyz: Floats) -> Floats:
    ratios = xyz / D50
    x, y, z = np.moveaxis(
        np.where(ratios > 216 / 24389, np.cbrt(ratios), (24389 / 27 * ratios + 16) / 116), -1, 0
    )
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def measure_delta_e(one: Picture, other: Picture) -> float:
    """Return the mean CIE76 colour difference of two sRGB pictures."""
    matrix = make_matrix(SRGB, D65).T
    labs = [to_lab(linearise(picture / 255) @ matrix) for picture in (one, other)]
    return float(np.linalg.norm(labs[0] - labs[1], axis=-1).mean())


@pytest.fixture(scope="module")
def scene() -> Picture:
    """Skin, hair, sky, shadows and a few strong colours, 96 x 80, with soft edges."""
    skin, hair, sky = (224, 172, 140), (120, 76, 56), (90, 140, 200)
    greys = ((30, 28, 34), (240, 236, 230))
    strong = ((198, 40, 44), (60, 150, 70), (236, 196, 60))
    colours = np.array([skin, hair, sky, *greys, *strong, skin, skin], np.uint8)
    rng = np.random.default_rng(1)
    coarse = colours[rng.integers(0, len(colours), (8, 7))]
    return np.array(Image.fromarray(coarse).resize((80, 96), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_wide_gamut_looks_the_same(
    scene: Picture, encode: Encode, name: str, file_format: str
) -> None:
    stored, options = convert(scene, name), NEARLY_LOSSLESS.get(file_format, {})
    decoded = decode(encode(stored, file_format, icc_profile=write_rgb_profile(name), **options))
    limit = 1.5 if file_format == "AVIF" else 1  # AVIF stores 220 levels
    assert measure_delta_e(decoded.image_HWC, scene) < limit
    assert measure_delta_e(stored, scene) > 1.5
    assert decoded.plain is None
    assert not decoded.is_profile_ignored


def test_packed_jpeg_is_converted(scene: Picture, encode: Encode) -> None:
    data = encode(
        convert(scene, "Display P3"), quality=98, icc_profile=write_rgb_profile("Display P3")
    )
    encoded = encode_for_shard(data, crop=None, size=None, encoding="jpg")
    assert encoded.converted
    assert check_plain_jpeg(encoded.data) == scene.shape[:2]
    assert measure_delta_e(decode_image(encoded.data), scene) < 1.5


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_crop_is_the_same_before_and_after_conversion(
    scene: Picture, encode: Encode, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    profile = write_rgb_profile("Display P3")
    data = encode(scene, icc_profile=profile, exif=exif.tobytes())
    encoded = encode_for_shard(data, crop=41, size=None, encoding="npy")
    assert encoded.data[128:] == fit_image(decode_image(data), crop=41).tobytes()


def test_profile_in_several_segments(scene: Picture, encode: Encode) -> None:
    profile = write_rgb_profile("ProPhoto") + bytes(150_000)
    data = encode(convert(scene, "ProPhoto"), quality=100, subsampling=0, icc_profile=profile)
    assert data.count(b"ICC_PROFILE\0") == 3
    assert measure_delta_e(decode_image(data), scene) < 1


def test_lost_part_of_a_profile_is_repaired(scene: Picture, encode: Encode) -> None:
    data = encode(scene, icc_profile=write_rgb_profile("ProPhoto") + bytes(150_000))
    start = data.index(b"ICC_PROFILE\0\2") - 4
    data = data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4]) :]
    encoded = encode_for_shard(data, crop=None, size=None, encoding="jpg")
    assert encoded.repaired
    assert check_plain_jpeg(encoded.data) == scene.shape[:2]


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("profile", [b"", b"junk" * 99, write_rgb_profile("ProPhoto")[:200]])
def test_broken_profile_is_ignored_and_reported(
    picture: Picture, encode: Encode, file_format: str, profile: bytes
) -> None:
    decoded = decode(encode(picture, file_format, icc_profile=profile or b"x"))
    assert decoded.is_profile_ignored
    assert np.array_equal(decoded.image_HWC, decode_image(encode(picture, file_format)))


def test_damage_anywhere_in_a_profile(picture: Picture, encode: Encode) -> None:
    whole, rng = write_rgb_profile("Display P3"), np.random.default_rng(0)
    for _ in range(300):
        profile = bytearray(whole)
        for place in rng.integers(0, len(profile), 3) // rng.integers(1, 6):
            profile[place] = rng.integers(256)
        assert decode(encode(picture, icc_profile=bytes(profile))).image_HWC.shape == picture.shape


def test_profile_of_another_space_is_ignored(picture: Picture, encode: Encode) -> None:
    decoded = decode(encode(picture, icc_profile=write_grey_profile(2.2)))
    assert decoded.is_profile_ignored
    assert decoded.plain is not None


def test_srgb_profile_costs_nothing(picture: Picture, encode: Encode) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encode(picture, icc_profile=profile)
    assert is_srgb(profile)
    assert check_plain_jpeg(data) == picture.shape[:2]
    assert decode(data).plain == data


def test_grey_picture_with_a_grey_profile(picture: Picture, encode: Encode) -> None:
    grey = picture[:, :, 0]
    linear = (linearise(grey / 255) * 255).round().astype(np.uint8)
    decoded = decode(encode(linear, "PNG", icc_profile=write_grey_profile(1.0)))
    assert not decoded.is_profile_ignored
    assert np.abs(decoded.image_HWC[:, :, 0].astype(int) - grey).mean() < 2


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_grey_picture_with_an_rgb_profile(
    picture: Picture, encode: Encode, file_format: str
) -> None:
    grey = picture[:, :, 0]
    stored = (encode_values(linearise(grey / 255), SPACES["ProPhoto"][2]) * 255).round()
    profile = write_rgb_profile("ProPhoto")
    image = decode_image(encode(stored.astype(np.uint8), file_format, icc_profile=profile))
    assert np.abs(image - grey[:, :, None].astype(int)).mean() < 2


def test_alpha_is_composited_in_srgb(scene: Picture, encode: Encode) -> None:
    image = Image.fromarray(convert(scene, "ProPhoto"))
    image.putalpha(128)
    expected = Image.fromarray(scene)
    expected.putalpha(128)
    found = decode_image(encode(image, "PNG", icc_profile=write_rgb_profile("ProPhoto")))
    assert measure_delta_e(found, decode_image(encode(expected, "PNG"))) < 1


def write_cmyk_profile(strength: float) -> bytes:
    """Write a profile of inks that take `strength` of their colour: CMYK to Lab on a grid."""
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * 4, indexing="ij"), axis=-1)
    rgb = (1 - strength * grid[..., :3]) * (1 - grid[..., 3:])
    lab = to_lab(linearise(rgb) @ make_matrix(SRGB, D65).T)
    scaled = np.stack(
        [lab[..., 0] * 652.8, (lab[..., 1] + 128) * 256, (lab[..., 2] + 128) * 256], -1
    )
    table = scaled.round().clip(0, 65535).astype(">u2").tobytes()
    identity = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    ramp = struct.pack(">2H", 0, 65535)
    lut = b"mft2" + struct.pack(">4x4B", 4, 3, 9, 0) + identity + struct.pack(">2H", 2, 2)
    lut += ramp * 4 + table + ramp * 3
    return write_profile(b"CMYK", b"Lab ", {b"wtpt": write_xyz(D50), b"A2B0": lut, b"A2B1": lut})


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_cmyk_with_a_profile(scene: Picture, encode: Encode, file_format: str) -> None:
    strength = 0.8
    pale = (255 - strength * (255 - scene.astype(float))).round().astype(np.uint8)
    inks = np.dstack([255 - scene, np.zeros(scene.shape[:2], np.uint8)])
    options = {"quality": 98} if file_format == "JPEG" else {}
    profile = write_cmyk_profile(strength)
    image = Image.fromarray(inks, "CMYK")
    decoded = decode(encode(image, file_format, icc_profile=profile, **options))
    assert not decoded.is_profile_ignored
    assert measure_delta_e(decoded.image_HWC, pale) < 1
    assert measure_delta_e(decode_image(encode(image, file_format, **options)), pale) > 2


def test_lab_tiff(picture: Picture, encode: Encode) -> None:
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    image = ImageCms.applyTransform(Image.fromarray(picture), transform)
    assert image is not None
    image.info.clear()
    decoded = decode(encode(image, "TIFF"))
    assert not decoded.is_profile_ignored
    assert np.abs(decoded.image_HWC.astype(int) - picture).mean() < 2
