"""Rules that a sample of another tool must follow so that the loaders can read it."""

from ..images import ImageRefused, check_stored
from ._tar import Member


def find_foreign_problem(members: list[Member]) -> str | None:
    """Return why the loaders cannot read a sample of another tool; None where they can."""
    names = [member.info.name for member in members]
    extensions = [member.extension for member in members]
    if any("/" in name for name in names):
        return "its members lie in a folder of the tar"
    if len(set(extensions)) < len(extensions):
        return "its key is there twice"
    if "jpg" not in extensions:
        dotted = next((name for name in names if name.endswith(".jpg")), None)
        if dotted is not None:
            return f"{dotted} has dots in its key; readers end a key at the first dot"
        return f"it has no jpg, only {', '.join(extensions)}"
    try:
        check_stored(members[extensions.index("jpg")].data, "jpg")
    except ImageRefused as refusal:
        return str(refusal)
    return None
