"""Fields of a source that have the name of a field that every sample has for itself."""

from collections.abc import Container, Iterable, Mapping


def rename_field(name: str, others: Container[str]) -> str:
    """Return the name under which a sample keeps a field whose own name means something else.

    Args:
        others: names that are taken.
    """
    renamed = f"source_{name}"
    while renamed in others:
        renamed = f"source_{renamed}"
    return renamed


def describe_renamed(renamed: Mapping[str, str]) -> Iterable[str]:
    """Return the note on fields that were renamed, by their old names; nothing without any."""
    if renamed:
        names = ", ".join(f"{old} as {new}" for old, new in renamed.items())
        yield f"fields of the source kept under another name, as samples have their own: {names}"
