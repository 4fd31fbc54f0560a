"""URLs and what reaches them: schemes, missing libraries, silent servers."""

import errno
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from fsspec.exceptions import FSTimeoutError

from faceae_shards import ShardsError
from faceae_shards.storage._remote import (
    FIRST_ANSWER_S,
    ask,
    connect,
    explain_errors,
    parse_location,
)


@pytest.mark.parametrize("text", ["s3://bucket/faces", "https://host/a.zip", "memory://x"])
def test_url_stays_as_it_is(text: str) -> None:
    assert parse_location(text) == text


@pytest.mark.parametrize("text", ["faces", "/data/a b.zip", "C:\\faces", "a:/b", "odd//name"])
def test_everything_else_is_a_path(text: str) -> None:
    assert parse_location(text) == Path(text)


def test_scheme_that_nobody_knows() -> None:
    with pytest.raises(ShardsError, match=r"ftps3://x/y cannot be used: .*ftps3"):
        connect("ftps3://x/y")


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(ShardsError, match=r"s3://b/c .*s3fs.*pip install 'faceae\[remote\]'"):
        connect("s3://b/c")


def test_file_system_and_path_inside_it() -> None:
    file_system, path = connect("memory://a/b.tar")
    file_system.pipe_file(path, b"x")
    assert file_system.cat_file("/a/b.tar") == b"x"
    file_system.rm(path)


def test_first_answer_is_waited_for_and_later_ones_longer() -> None:
    limits: list[float | None] = []

    def question(path: str, timeout: float | None = None) -> str:
        limits.append(timeout)
        return path

    system = SimpleNamespace(async_impl=True)
    for url in ("s3://first-answer/a", "s3://first-answer/b/c", "s3://another"):
        assert ask(url, system, question, "x") == "x"
    assert limits == [FIRST_ANSWER_S, None, FIRST_ANSWER_S]


@pytest.mark.parametrize(
    ("scheme", "remedy"), [("s3", "AWS_ENDPOINT_URL"), ("gs", "FSSPEC_GS_TOKEN"), ("https", "addr")]
)
def test_silence_takes_one_line_with_its_remedy(scheme: str, remedy: str) -> None:
    def question(path: str, timeout: float | None = None) -> str:
        raise FSTimeoutError

    url = f"{scheme}://silent/a"
    with pytest.raises(ShardsError, match=f"{url}: no answer within 10 s; .*{remedy}"):
        ask(url, SimpleNamespace(async_impl=True), question, "x")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileNotFoundError("No such bucket"), "does not exist.*No such bucket"),
        (PermissionError("Access Denied"), "access is refused.*Access Denied"),
        (OSError(5, "We reported\nan internal error"), "We reported; check the address"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_failures_of_a_server_take_one_line(error: Exception, told: str) -> None:
    with pytest.raises(ShardsError, match=f"s3://b/x.*{told}"), explain_errors("s3://b/x"):
        raise error


def test_full_disk_is_not_the_servers() -> None:
    with pytest.raises(OSError, match="No space left"), explain_errors("s3://b/x"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_mistakes_of_ours_keep_their_traceback() -> None:
    with pytest.raises(KeyError), explain_errors("s3://b/x"):
        raise KeyError("x")
