"""Buckets of an S3 server, reached as users reach them."""

from shards._remote import connect


def test_bucket_named_by_the_environment(bucket: str) -> None:
    file_system, path = connect(f"{bucket}/a/b.jpg")
    file_system.pipe_file(path, b"x")
    assert file_system.cat_file(path) == b"x"
    assert file_system.find(bucket) == [path]
