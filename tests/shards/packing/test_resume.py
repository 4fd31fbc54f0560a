"""Packs that were interrupted, repeated, or run twice at once."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faceae_shards import PackConfig, ShardInfo, ShardsError, open_dataset, pack
from faceae_shards.dataset._tar import publish_shard
from faceae_shards.packing import _run
from faceae_shards.storage import _lock
from faceae_shards.storage._lock import lock_folder
from faceae_shards.storage._storage import Storage

Configure = Callable[..., PackConfig]
HashTree = Callable[[Path], dict[str, str]]

MANY = {"samples_per_shard": 1, "workers": 2}
"""Many shards, so that there is a middle to be interrupted in."""

_SCRIPT = """
import sys
from pathlib import Path
from faceae_shards import PackConfig, pack

if __name__ == "__main__":
    source, out, workers = sys.argv[1:]
    pack(PackConfig(source=Path(source), out=Path(out), samples_per_shard=1,
                    split=(0.8, 0.1, 0.1), workers=int(workers)))
"""


@pytest.fixture
def many_photos(photos: Path) -> Path:
    """60 JPEGs."""
    for number in range(40):
        (photos / f"more-{number}.jpg").write_bytes((photos / f"{number % 20:02}.jpg").read_bytes())
    return photos


def interrupt(config: PackConfig) -> None:
    """Pack until a few shards are done, as if Ctrl-C were pressed then."""

    def stop(done: int, total: int) -> None:
        if done >= 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(config, stop)


@pytest.mark.parametrize("workers", [1, 2])
def test_kill_9_in_the_middle_then_the_same_command(
    configure: Configure, many_photos: Path, tmp_path: Path, hash_tree: HashTree, workers: int
) -> None:
    expected = pack(configure(out=tmp_path / "expected", samples_per_shard=1)).out
    config = configure(samples_per_shard=1, workers=workers)
    script = tmp_path / "pack.py"
    script.write_text(_SCRIPT)
    arguments = [str(script), str(many_photos), str(config.out), str(workers)]
    process = subprocess.Popen([sys.executable, *arguments])
    records = config.out / ".progress"
    while not len(list(records.glob("train-*.json"))) >= 5:
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.wait()
    num_done = len(list(records.glob("*-*.json")))
    assert 5 <= num_done < 60
    with pytest.raises(ShardsError, match="only partly packed; run the same"):
        open_dataset(config.out)

    done: list[tuple[int, int]] = []
    pack(config, lambda *counts: done.append(counts))
    assert done[-1][1] <= 60 - num_done
    assert hash_tree(config.out) == hash_tree(expected)


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_then_the_same_command(
    configure: Configure, many_photos: Path, tmp_path: Path, hash_tree: HashTree, workers: int
) -> None:
    expected = pack(configure(out=tmp_path / "expected", samples_per_shard=6)).out
    config = configure(samples_per_shard=6, workers=workers)
    interrupt(config)
    assert not list(config.out.rglob("*.faceae-part"))
    assert not (config.out / "dataset.json").exists()
    pack(config)
    assert hash_tree(config.out) == hash_tree(expected)


def test_killed_worker_is_an_error_with_its_remedy(
    configure: Configure, many_photos: Path, tmp_path: Path, hash_tree: HashTree
) -> None:
    expected = pack(configure(out=tmp_path / "expected", samples_per_shard=1)).out
    config = configure(**MANY)

    def kill_worker(done: int, total: int) -> None:
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGKILL)

    with pytest.raises(ShardsError, match="worker process was killed"):
        pack(config, kill_worker)
    pack(config)
    assert hash_tree(config.out) == hash_tree(expected)


def test_record_is_written_after_its_shard_is_on_the_disk(
    configure: Configure, many_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(storage: Storage, scratch: Path, shard: ShardInfo) -> None:
        if shard.name == "train/train-000003.tar":
            raise OSError(5, "Input/output error")
        publish_shard(storage, scratch, shard)

    monkeypatch.setattr(_run, "publish_shard", fail)
    config = configure(samples_per_shard=6)
    with pytest.raises(OSError, match="Input/output"):
        pack(config)
    records = {file.stem for file in (config.out / ".progress").glob("train-*.json")}
    assert "train-000002" in records
    assert "train-000003" not in records
    assert not list(config.out.rglob("*.faceae-part"))


def test_shard_that_went_missing_meanwhile_is_packed_again(
    configure: Configure, many_photos: Path, tmp_path: Path, hash_tree: HashTree
) -> None:
    expected = pack(configure(out=tmp_path / "expected", samples_per_shard=6)).out
    config = configure(samples_per_shard=6)
    interrupt(config)
    next(config.out.rglob("*.tar")).unlink()
    next(config.out.rglob("*.idx")).write_bytes(b"")
    pack(config)
    assert hash_tree(config.out) == hash_tree(expected)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"size": 16}, "`size`"),
        ({"seed": 3}, "`seed`"),
        ({"split": (1, 0, 0)}, "`split`"),
        ({"crop": 20, "samples_per_shard": 2}, "`crop`, `samples_per_shard`"),
    ],
)
@pytest.mark.parametrize("finished", [False, True])
def test_other_options_into_the_same_folder(
    configure: Configure,
    many_photos: Path,
    hash_tree: HashTree,
    options: dict[str, Any],
    named: str,
    finished: bool,
) -> None:
    config = configure(samples_per_shard=30 if finished else 3)
    if finished:
        pack(config)
    else:
        interrupt(config)
    before = hash_tree(config.out)
    with pytest.raises(ShardsError, match=f"with other .*{named}.*delete it"):
        pack(configure(**{"samples_per_shard": config.samples_per_shard, **options}))
    assert hash_tree(config.out) == before


@pytest.mark.parametrize("finished", [False, True])
def test_other_source_into_the_same_folder(
    configure: Configure, many_photos: Path, finished: bool
) -> None:
    config = configure(samples_per_shard=30 if finished else 3)
    if finished:
        pack(config)
    else:
        interrupt(config)
    (many_photos / "more-0.jpg").write_bytes(b"shorter")
    with pytest.raises(ShardsError, match=r"with other .*source"):
        pack(config)


def test_source_file_that_changed_since_an_interruption(
    configure: Configure, many_photos: Path
) -> None:
    config = configure(samples_per_shard=6)
    interrupt(config)
    os.utime(many_photos / "more-0.jpg", (1, 1))
    with pytest.raises(ShardsError, match=r"other source files \(some changed since\)"):
        pack(config)


def test_other_number_of_workers_goes_on(
    configure: Configure, many_photos: Path, tmp_path: Path, hash_tree: HashTree
) -> None:
    expected = pack(configure(out=tmp_path / "expected", samples_per_shard=6)).out
    interrupt(configure(samples_per_shard=6, workers=2))
    pack(configure(samples_per_shard=6, workers=1))
    assert hash_tree(tmp_path / "out") == hash_tree(expected)


def test_finished_pack_is_not_repeated(configure: Configure, hash_tree: HashTree) -> None:
    config = configure()
    first = pack(config)
    (config.out / ".progress").mkdir()  # as where a pack is killed in its very last step
    before = {file: file.stat().st_mtime_ns for file in config.out.rglob("*.tar")}
    second = pack(config)
    assert second.already_complete
    assert not first.already_complete
    assert second.num_samples == first.num_samples
    assert {file: file.stat().st_mtime_ns for file in config.out.rglob("*.tar")} == before
    assert not (config.out / ".progress").exists()


def test_finished_pack_that_was_damaged_is_not_called_complete(configure: Configure) -> None:
    config = configure()
    pack(config)
    (config.out / "train" / "train-000002.idx").unlink()
    with pytest.raises(
        ShardsError, match=r"train-000002\.idx is missing; .*`faceae verify` .*`reindex=True`"
    ):
        pack(config)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_two_packs_into_one_folder(
    configure: Configure, many_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_lock, "_PATIENCE_S", 0.1)
    config = configure(samples_per_shard=6)
    interrupt(config)
    with (
        lock_folder(config.out / ".progress" / "lock", config.out),
        pytest.raises(ShardsError, match="another process is packing into it"),
    ):
        pack(config)
    pack(config)


def test_records_hold_what_the_manifest_needs(configure: Configure, many_photos: Path) -> None:
    (many_photos / "more-1.jpg").write_bytes(b"")
    config = configure(samples_per_shard=20)
    interrupt(config)
    pack(config)
    manifest = json.loads((config.out / "dataset.json").read_text())
    assert manifest["num_rejected"] == {"empty": 1}
