"""What a user can mend."""


class ShardsError(ValueError):
    """A source or dataset that cannot be used: one line naming the file or option, and the remedy.

    Examples: a folder without images, a shard whose size differs from the manifest, two packs into
    one folder.
    """
