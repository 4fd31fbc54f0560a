"""Buckets of an S3 server, reached as users reach them."""

import pytest

from faceae_shards import ShardsError
from faceae_shards.storage._remote import connect, explain_errors


def test_bucket_named_by_the_environment(bucket: str) -> None:
    file_system, path = connect(f"{bucket}/a/b.jpg")
    file_system.pipe_file(path, b"x")
    assert file_system.cat_file(path) == b"x"
    assert file_system.find(bucket) == [path]


def test_missing_bucket_takes_one_line(s3: str) -> None:
    file_system, path = connect("s3://nowhere-at-all/a.jpg")
    with (
        pytest.raises(ShardsError, match=r"does not exist \(The specified bucket does not exist\)"),
        explain_errors("s3://nowhere-at-all/a.jpg"),
    ):
        file_system.cat_file(path)


def test_server_that_is_away_takes_one_line(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    file_system, path = connect("s3://bucket/a.jpg")
    file_system = type(file_system)(skip_instance_cache=True)
    with (
        pytest.raises(ShardsError, match=r"s3://bucket/a.jpg: Could not connect .*127.0.0.1:9"),
        explain_errors("s3://bucket/a.jpg"),
    ):
        file_system.cat_file(path)
