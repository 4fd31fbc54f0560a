"""CelebA's forty attributes of a drawn face.

Each attribute describes what the drawing shows. A continuous trait becomes an attribute from the
value at which a person would name it. `Attractive`, which no drawing shows, is defined as a young
face in focus without bags under its eyes, double chin, big nose or receding hair.
"""

from ..face import Face, hair_flow
from ..traits import HairTone

ATTRIBUTE_NAMES = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)
"""Names of the attributes in the order of CelebA's files."""

_BLURRY_PX = 1.0
_RAISED_CHEEKS = 4.9
"""Height from which cheeks look high, by their bones or by a smile, head units."""


def attributes(face: Face) -> dict[str, bool]:
    """Return all forty attributes by name, in the order of `ATTRIBUTE_NAMES`."""
    found = {**_of_face(face), **_of_eyes(face), **_of_hair(face), **_of_beard(face), **_worn(face)}
    unfavourable = ("Bags_Under_Eyes", "Double_Chin", "Big_Nose", "Receding_Hairline", "Blurry")
    found["Attractive"] = found["Young"] and not any(found[name] for name in unfavourable)
    return {name: found[name] for name in ATTRIBUTE_NAMES}


def _of_face(face: Face) -> dict[str, bool]:
    identity, picture, shape = face.identity, face.picture, face.identity.shape
    return {
        "Male": identity.male,
        "Young": identity.age < 0.5,
        "Blurry": picture.camera.blur > _BLURRY_PX,
        "Big_Lips": shape.lips > 0.4,
        "Big_Nose": shape.nose_width > 0.35,
        "Pointy_Nose": shape.nose_point > 0.6,
        "Chubby": shape.weight > 0.4,
        "Double_Chin": face.has_double_chin,
        "Oval_Face": shape.jaw < -0.1 and shape.weight < 0.3 and shape.width < 0.3,
        "High_Cheekbones": face.cheek_height > _RAISED_CHEEKS,
        "Pale_Skin": identity.skin < 0.06,
        "Rosy_Cheeks": picture.makeup.blush > 0.5,
        "Smiling": picture.expression.smile > 0.5,
        "Mouth_Slightly_Open": picture.expression.mouth_open > 0,
    }


def _of_eyes(face: Face) -> dict[str, bool]:
    eyes, sees = face.identity.eyes, face.picture.outfit.glasses != "sun"
    return {
        "Arched_Eyebrows": eyes.brow_arch > 0.55,
        "Bushy_Eyebrows": eyes.brow_bushy > 0.6,
        "Narrow_Eyes": sees and eyes.narrow > 0.5,
        "Bags_Under_Eyes": sees and face.picture.eye_bags > 0,
    }


def _of_hair(face: Face) -> dict[str, bool]:
    hair, bald = face.identity.hair, face.identity.hair.cut == "bald"
    hatless = face.picture.outfit.hat == "none"
    # Under a hat only hanging hair shows enough of its shape.
    shown = not bald and (hatless or hair.cut in ("bob", "long"))
    tones: dict[str, HairTone] = {
        "Black_Hair": "black",
        "Blond_Hair": "blond",
        "Brown_Hair": "brown",
        "Gray_Hair": "grey",
    }
    flow = hair_flow(face.identity)
    return {
        **{name: shown and hair.tone == tone for name, tone in tones.items()},
        "Bald": bald and hatless,
        "Bangs": hair.bangs and hatless,
        "Receding_Hairline": hair.receding > 0 and hatless and not bald,
        "Straight_Hair": shown and flow != "wavy" and hair.texture == "straight",
        "Wavy_Hair": shown and flow in ("wavy", "curly"),
    }


def _of_beard(face: Face) -> dict[str, bool]:
    beard = face.picture.beard
    return {
        "5_o_Clock_Shadow": beard == "shadow",
        "No_Beard": beard == "none",
        "Goatee": beard == "goatee",
        "Mustache": beard in ("mustache", "goatee", "full"),
        "Sideburns": face.has_sideburns or beard == "full",
    }


def _worn(face: Face) -> dict[str, bool]:
    outfit, makeup = face.picture.outfit, face.picture.makeup
    return {
        "Eyeglasses": outfit.glasses != "none",
        "Heavy_Makeup": makeup.strength > 0.8,
        "Wearing_Lipstick": makeup.lipstick > 0,
        "Wearing_Earrings": outfit.earrings,
        "Wearing_Hat": outfit.hat != "none",
        "Wearing_Necklace": outfit.necklace,
        "Wearing_Necktie": outfit.necktie,
    }
