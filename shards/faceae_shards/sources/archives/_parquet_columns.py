"""What the columns of a Parquet file hold: images, attributes, people, splits and other fields."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..._errors import ShardsError
from .._reserved import rename_field
from ..files import SourceFiles
from ._parquet_file import open_parquet

if TYPE_CHECKING:
    import pyarrow

_BINARY_NAMES = frozenset({"image", "img", "jpg", "jpeg", "png", "picture", "photo"})
_PEOPLE = ("identity", "celeb_id", "person_id")
"""Columns that name the person in the image."""
_RESERVED = ("width", "height")
"""Fields of a sample's json that every pack computes."""
_OTHERS = ("name", "attributes", "face")
"""Fields of a sample's json that no column can hold. Columns of these names mean something else."""
_SPLIT = "split"
_CELEBA_NAMES = """
    5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose
    Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee
    Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard
    Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair
    Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young
"""
_CELEBA = frozenset(_CELEBA_NAMES.split())
"""CelebA's attributes, which may be columns of numbers."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of a file by their use."""

    image: str
    has_path: bool
    """Whether the image column has names."""
    is_struct: bool
    attributes: tuple[str, ...]
    people: str | None
    split: str | None
    """A column that may name the split of the image."""
    fields: dict[str, str]
    """Other columns, and their names in a sample's json."""
    left_out: tuple[str, ...]
    """Columns that JSON cannot hold."""

    @property
    def used(self) -> list[str]:
        """All columns that a pack reads."""
        people = [] if self.people is None else [self.people]
        return [self.image, *self.attributes, *people, *self.fields]


def read_columns(files: SourceFiles, names: Sequence[str], image_column: str | None) -> Columns:
    """Return what the columns hold, of all files the same."""
    found = []
    for name in names:
        with open_parquet(files, name) as file:
            found.append(_sort_columns(files.locate(name), file.schema_arrow, image_column))
    for name, columns in zip(names, found, strict=True):
        if columns != found[0]:
            raise ShardsError(
                f"{files.locate(name)} has other columns than {files.locate(names[0])}; "
                "pack them on their own"
            )
    return found[0]


def _sort_columns(where: str, schema: "pyarrow.Schema", image_column: str | None) -> Columns:
    structs = [c.name for c in schema if _is_image_struct(c.type)]
    plain = [c.name for c in schema if _is_binary(c.type)]
    image = schema.field(_choose_image(where, schema.names, structs, plain, image_column))
    others = [c for c in schema if c.name != image.name]
    people = next((c.name for name in _PEOPLE for c in others if c.name == name), None)
    attributes = [c.name for c in others if _is_attribute(c)]
    rest = [c for c in others if c.name not in (*attributes, people, *_RESERVED)]
    is_struct = _is_image_struct(image.type)
    return Columns(
        image=image.name,
        has_path=is_struct and image.type.get_field_index("path") >= 0,
        is_struct=is_struct,
        attributes=tuple(attributes),
        people=people,
        split=next((c.name for c in rest if c.name.lower() == _SPLIT and _is_text(c.type)), None),
        fields={
            c.name: rename_field(c.name, schema.names) if _means_another(c) else c.name
            for c in rest
            if _is_json(c.type)
        },
        left_out=tuple(c.name for c in rest if not _is_json(c.type)),
    )


def _is_image_struct(kind: "pyarrow.DataType") -> bool:
    from pyarrow import types

    return bool(
        types.is_struct(kind)
        and kind.get_field_index("bytes") >= 0
        and _is_binary(kind.field("bytes").type)
    )


def _is_binary(kind: "pyarrow.DataType") -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _is_binary(kind.value_type)
    tests = (types.is_binary, types.is_large_binary, types.is_binary_view)
    return any(test(kind) for test in tests)


def _is_attribute(column: "pyarrow.Field") -> bool:
    from pyarrow import types

    is_number = types.is_integer(column.type) or types.is_floating(column.type)
    return types.is_boolean(column.type) or (column.name in _CELEBA and is_number)


def _is_text(kind: "pyarrow.DataType") -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _is_list(kind: "pyarrow.DataType") -> bool:
    from pyarrow import types

    tests = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _is_json(kind: "pyarrow.DataType") -> bool:
    """Return whether JSON can hold the values of a column."""
    from pyarrow import types

    if types.is_dictionary(kind) or _is_list(kind):  # pandas calls a dictionary a category
        return _is_json(kind.value_type)
    tests = (types.is_boolean, types.is_integer, types.is_floating)
    texts = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    return any(test(kind) for test in (*tests, *texts))


def _means_another(column: "pyarrow.Field") -> bool:
    """Return whether a column has the name of a field of samples, and another meaning."""
    is_place = column.name in ("box", "landmarks")
    return column.name in _OTHERS or (is_place and not _is_list(column.type))


def _choose_image(
    where: str, names: list[str], structs: list[str], plain: list[str], asked: str | None
) -> str:
    """Return the column of the images."""
    if asked is not None:
        if asked not in (*structs, *plain):
            raise ShardsError(
                f"{where}: `image_column={asked!r}` is no column of {{bytes, path}} or of bytes; "
                f"its columns: {', '.join(names)}"
            )
        return asked
    found = structs or [name for name in plain if name.lower() in _BINARY_NAMES]
    if len(found) > 1:
        named = [name for name in found if name.lower() in _BINARY_NAMES]
        found = named if len(named) == 1 else found
    if not found:
        raise ShardsError(
            f"{where} has no image column: none of {{bytes, path}}, and none of bytes that is "
            "named like one; name one by `image_column`, or give a text file of paths if it "
            f"holds paths; its columns: {', '.join(names)}"
        )
    if len(found) > 1:
        raise ShardsError(
            f"{where} has several image columns ({', '.join(found)}); name one of them by "
            f"`image_column`; its columns: {', '.join(names)}"
        )
    return found[0]
