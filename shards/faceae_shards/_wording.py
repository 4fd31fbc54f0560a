"""Counts in messages, with the noun in its number."""


def count_of(number: int, noun: str) -> str:
    """Return a number and what it counts, such as 1 face, 2,345 faces or 2 processes.

    Args:
        noun: in the singular; its plural must end in -s, or -es after s.
    """
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"
