"""The forty attributes against the pixels."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from faceae.synthetic import ATTRIBUTE_NAMES, Face, annotate, attributes

Pixels = NDArray[np.int16]
Portrait = Callable[..., tuple[Face, Pixels]]
Region = tuple[int, int, int, int]
"""Left, top, right and bottom, pixels."""

EYES = (48, 100, 130, 124)
BROWS = (48, 88, 130, 108)
MOUTH = (66, 142, 112, 168)
CHIN = (60, 140, 117, 192)
CHEEKS = (48, 112, 130, 150)
NOSE = (74, 108, 104, 146)
FOREHEAD = (52, 58, 126, 104)
CROWN = (38, 20, 140, 96)
EARS = (36, 120, 142, 150)
NECK = (50, 176, 128, 218)

DRAWN = [
    ("Eyeglasses", {"picture.outfit.glasses": "round"}, EYES),
    ("Eyeglasses", {"picture.outfit.glasses": "sun"}, EYES),
    ("Heavy_Makeup", {"picture.makeup.strength": 1.0}, EYES),
    ("Narrow_Eyes", {"person.eyes.narrow": 1.0}, EYES),
    ("Bags_Under_Eyes", {"picture.eye_bags": 1.0}, EYES),
    ("Bushy_Eyebrows", {"person.eyes.brow_bushy": 0.9}, BROWS),
    ("Arched_Eyebrows", {"person.eyes.brow_arch": 1.0}, BROWS),
    ("Wearing_Lipstick", {"picture.makeup.lipstick": 1.0}, MOUTH),
    ("Mouth_Slightly_Open", {"picture.expression.mouth_open": 0.4}, CHIN),
    ("Smiling", {"picture.expression.smile": 0.9}, (48, 96, 130, 170)),
    ("Big_Lips", {"person.shape.lips": 0.9}, MOUTH),
    ("Big_Nose", {"person.shape.nose_width": 0.9}, NOSE),
    ("Pointy_Nose", {"person.shape.nose_point": 1.0}, NOSE),
    ("Rosy_Cheeks", {"picture.makeup.blush": 0.9}, CHEEKS),
    ("High_Cheekbones", {"person.shape.cheekbones": 1.0}, CHEEKS),
    ("Goatee", {"picture.beard": "goatee"}, CHIN),
    ("Mustache", {"picture.beard": "mustache"}, MOUTH),
    ("5_o_Clock_Shadow", {"picture.beard": "shadow"}, (44, 104, 134, 192)),
    ("Sideburns", {"person.sideburns": True}, (42, 92, 136, 138)),
    ("Bald", {"person.hair.cut": "bald"}, CROWN),
    ("Bangs", {"person.hair.bangs": True}, FOREHEAD),
    ("Receding_Hairline", {"person.hair.receding": 1.0}, CROWN),
    ("Wearing_Hat", {"picture.outfit.hat": "beanie"}, CROWN),
    ("Wearing_Hat", {"picture.outfit.hat": "cap"}, CROWN),
    ("Wearing_Hat", {"picture.outfit.hat": "fedora"}, (20, 20, 158, 100)),
    ("Wearing_Earrings", {"picture.outfit.earrings": True}, EARS),
    ("Wearing_Necklace", {"picture.outfit.necklace": True}, NECK),
]


@pytest.mark.parametrize(("name", "change", "region"), DRAWN)
def test_attribute_shows_where_it_belongs(
    portrait: Portrait, name: str, change: Mapping[str, object], region: Region
) -> None:
    without, plain = portrait()
    having, changed = portrait(change)
    assert not attributes(without)[name]
    assert attributes(having)[name]
    difference = np.abs(changed - plain).mean(axis=2)
    left, top, right, bottom = region
    inside = difference[top:bottom, left:right].sum()
    assert inside > 600
    assert inside > 0.75 * difference.sum()


def test_attribute_names_are_celebas() -> None:
    assert len(ATTRIBUTE_NAMES) == 40
    assert ATTRIBUTE_NAMES[0] == "5_o_Clock_Shadow"
    assert ATTRIBUTE_NAMES[-1] == "Young"
    assert list(ATTRIBUTE_NAMES) == sorted(ATTRIBUTE_NAMES)


def test_attributes_come_in_the_order_of_the_files(portrait: Portrait) -> None:
    face, _ = portrait()
    assert tuple(attributes(face)) == ATTRIBUTE_NAMES


def test_hair_tones_are_the_hairs_colour(portrait: Portrait) -> None:
    tones = {"black": "Black_Hair", "brown": "Brown_Hair", "blond": "Blond_Hair"}
    tones["grey"] = "Gray_Hair"
    colours = {}
    for tone, name in tones.items():
        face, pixels = portrait({"person.hair.tone": tone})
        assert [attributes(face)[other] for other in tones.values()].count(True) == 1
        assert attributes(face)[name]
        colours[tone] = pixels[44:60, 75:103].mean(axis=(0, 1))
    brightness = {tone: colour.mean() for tone, colour in colours.items()}
    assert brightness["black"] < 60 < brightness["brown"] < 110 < brightness["blond"]
    assert np.ptp(colours["grey"]) < 12 < np.ptp(colours["brown"])
    assert colours["blond"][0] > colours["blond"][2] + 40


def test_hair_that_does_not_show_has_no_tone(portrait: Portrait) -> None:
    for change in ({"picture.outfit.hat": "beanie"}, {"person.hair.cut": "bald"}):
        face, _ = portrait(change)
        found = attributes(face)
        assert not any(found[name] for name in ("Black_Hair", "Straight_Hair", "Wavy_Hair"))
    hatted, _ = portrait({"person.hair.cut": "bald", "picture.outfit.hat": "cap"})
    assert not attributes(hatted)["Bald"]


def test_dark_glasses_hide_what_lies_behind(portrait: Portrait) -> None:
    hidden = {"picture.eye_bags": 1.0, "person.eyes.narrow": 1.0, "picture.outfit.glasses": "sun"}
    found = attributes(portrait(hidden)[0])
    assert not found["Bags_Under_Eyes"]
    assert not found["Narrow_Eyes"]


def test_wavy_hair_falls_in_waves(portrait: Portrait) -> None:
    straight, plain = portrait({"person.hair.cut": "long"})
    wavy, changed = portrait({"person.hair.cut": "long", "person.hair.texture": "wavy"})
    assert attributes(straight)["Straight_Hair"]
    assert not attributes(straight)["Wavy_Hair"]
    assert attributes(wavy)["Wavy_Hair"]
    assert not attributes(wavy)["Straight_Hair"]
    assert np.abs(changed - plain)[120:, 25:50].mean() > 4


def test_smile_raises_the_corners_of_the_mouth(portrait: Portrait) -> None:
    still, smiling = (
        annotate(portrait({"picture.expression.smile": smile})[0]) for smile in (0.0, 0.9)
    )
    assert (smiling.landmarks[[7, 9]] < still.landmarks[[7, 9]]).all()


def test_blurry_picture_has_no_edges(portrait: Portrait) -> None:
    def sharpness(pixels: Pixels) -> float:
        return float(np.abs(np.diff(pixels.mean(axis=2), axis=0)).mean())

    sharp, plain = portrait()
    blurry, changed = portrait({"picture.camera.blur": 2.0})
    assert not attributes(sharp)["Blurry"]
    assert attributes(blurry)["Blurry"]
    assert sharpness(changed) < 0.75 * sharpness(plain)


def test_age_draws_lines(portrait: Portrait) -> None:
    young, plain = portrait()
    old, lined = portrait({"person.age": 0.9, "picture.wrinkles": 0.9})
    assert attributes(young)["Young"]
    assert not attributes(old)["Young"]
    roughness = [np.abs(np.diff(p[78:96, 78:100], axis=0)).mean() for p in (plain, lined)]
    assert roughness[1] > 1.5 * roughness[0]


def test_weight_widens_the_cheeks_and_folds_the_chin(portrait: Portrait) -> None:
    lean, heavy = (portrait({"person.shape.weight": weight})[0] for weight in (0.0, 0.8))
    assert [attributes(face)["Chubby"] for face in (lean, heavy)] == [False, True]
    assert np.ptp(heavy.outline[:, 0]) > np.ptp(lean.outline[:, 0]) + 2
    without, plain = portrait({"person.shape.weight": 0.549})
    having, folded = portrait({"person.shape.weight": 0.551})
    assert [attributes(face)["Double_Chin"] for face in (without, having)] == [False, True]
    darker = (plain - folded).mean(axis=2)
    assert darker[176:196, 70:107].max() > 15
    assert darker[:150].max() < 8


def test_oval_face_tapers(portrait: Portrait) -> None:
    def width_at(face: Face, row: int) -> float:
        on_row = np.abs(face.outline[:, 1] - row) < 4
        return float(np.ptp(face.outline[on_row, 0]))

    square, oval = (portrait({"person.shape.jaw": jaw})[0] for jaw in (0.9, -0.9))
    assert [attributes(face)["Oval_Face"] for face in (square, oval)] == [False, True]
    assert width_at(square, 165) > width_at(oval, 165) + 4


def test_men_have_wider_necks(portrait: Portrait) -> None:
    woman, man = (portrait({"person.male": male})[0] for male in (False, True))
    assert [attributes(face)["Male"] for face in (woman, man)] == [False, True]
    assert man.neck_half_width > woman.neck_half_width + 3


def test_pale_skin_is_the_lightest(portrait: Portrait) -> None:
    pale, light = portrait({"person.skin": 0.0})
    dark, deep = portrait({"person.skin": 0.9})
    assert attributes(pale)["Pale_Skin"]
    assert not attributes(dark)["Pale_Skin"]
    assert light[78:90, 80:98].mean() > deep[78:90, 80:98].mean() + 90


def test_beard_leaves_no_clean_chin(portrait: Portrait) -> None:
    for beard in ("shadow", "mustache", "goatee", "full"):
        assert not attributes(portrait({"picture.beard": beard})[0])["No_Beard"]
    assert attributes(portrait()[0])["No_Beard"]


@pytest.mark.parametrize(
    "change",
    [
        {"picture.eye_bags": 1.0},
        {"person.shape.weight": 0.8},
        {"person.shape.nose_width": 0.8},
        {"picture.camera.blur": 2.0},
        {"person.age": 0.8},
    ],
)
def test_attractive_follows_its_rule(portrait: Portrait, change: Mapping[str, object]) -> None:
    assert attributes(portrait()[0])["Attractive"]
    assert not attributes(portrait(change)[0])["Attractive"]
