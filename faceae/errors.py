"""What a user can mend."""


class FaceaeError(ValueError):
    """A request that cannot be met: one line naming the option or file, and the remedy."""
