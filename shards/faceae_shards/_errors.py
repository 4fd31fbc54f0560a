"""The error for problems that the user can solve."""


class ShardsError(ValueError):
    """A source or dataset cannot be used; the message is one line with the file and the remedy.

    Examples: a folder without images, a shard whose size differs from the manifest, two packs into
    one folder.
    """
