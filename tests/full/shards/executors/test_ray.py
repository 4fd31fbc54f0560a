"""Packing on a Ray cluster of two nodes: the same bytes, whatever happens on the way."""

import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from faceae.cli import run
from faceae_shards import PackConfig, ShardsError, pack
from faceae_shards.executors import Tick
from faceae_shards.executors._cluster import AUTO, connected
from faceae_shards.executors._ray import RayExecutor, _wait_for_room
from faceae_shards.executors._surroundings import Surroundings, get_versions
from faceae_shards.packing import _pack
from faceae_shards.packing._plan import ShardTask
from faceae_shards.packing._worker import ImagePacker, PackedShard
from faceae_shards.storage._remote import connect

HashTree = Callable[[Path], dict[str, str]]


PROGRESS = ("packing ", "listing ")
NODE = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100 << 20}


@pytest.fixture(scope="module")
def nodes(s3: str) -> Iterator[Any]:
    """A cluster of two nodes with a CPU each, which know the S3 server."""
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # The tasks find this module's and our own code.
        root = Path(__file__).parents[4]
        patch.setenv(
            "PYTHONPATH", os.pathsep.join(map(str, (root, root / "shards", root / "export")))
        )
        started = Cluster(initialize_head=True, head_node_args=NODE)
        started.add_node(**NODE)
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield started
        started.shutdown()


@pytest.fixture
def cluster(nodes: Any) -> str:
    """Its address."""
    address: str = nodes.address
    return address


@pytest.fixture
def config(cluster: str, face_folder: Path, tmp_path: Path) -> PackConfig:
    """48 faces in 12 shards or more."""
    return PackConfig(
        source=face_folder,
        out=tmp_path / "out",
        samples_per_shard=4,
        split=(0.5, 0.25, 0.25),
        executor="ray",
        address=cluster,
    )


@pytest.fixture
def expected(config: PackConfig, tmp_path: Path, hash_tree: HashTree) -> dict[str, str]:
    """What packing without Ray writes."""
    pack(replace(config, out=tmp_path / "local", executor="local", address=None, workers=1))
    return hash_tree(tmp_path / "local")


@dataclass
class DyingPacker(ImagePacker):
    """Has its process killed in the middle of some shards, each once."""

    marks: Path = Path()

    def write(self, task: ShardTask, folder: Path, tick: Tick) -> PackedShard:
        def tick_or_die() -> None:
            tick()
            mark = self.marks / Path(task.slot.name).stem
            if task.slot.start in (4, 8) and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)

        return super().write(task, folder, tick_or_die)


def test_same_bytes_with_relative_paths(
    config: PackConfig,
    expected: dict[str, str],
    hash_tree: HashTree,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(config.source.parent)
    calls: list[tuple[int, int]] = []
    relative = replace(config, source=Path(config.source.name))
    pack(relative, lambda *counts: calls.append(counts))
    assert hash_tree(config.out) == expected
    assert calls[-1] == (48, 48)


def test_killed_workers(
    config: PackConfig,
    expected: dict[str, str],
    hash_tree: HashTree,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "marks").mkdir()
    monkeypatch.setattr(
        _pack, "ImagePacker", lambda **options: DyingPacker(marks=tmp_path / "marks", **options)
    )
    pack(config)
    assert len(list((tmp_path / "marks").iterdir())) >= 2
    assert hash_tree(config.out) == expected


def test_interrupted_then_the_same_without_ray(
    config: PackConfig, expected: dict[str, str], hash_tree: HashTree
) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(config, interrupt)
    assert not list(config.out.rglob("*.faceae-part"))
    assert not (config.out / "dataset.json").exists()
    pack(replace(config, executor="local", address=None, workers=1))
    assert hash_tree(config.out) == expected


class _FailingWorker:
    def run(self, task: str, tick: Tick) -> str:
        if task == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ShardsError(f"the {task} is broken")

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("task", "message"),
    [("image", "^the image is broken$"), ("die", "task for good .WorkerCrashedError")],
)
def test_what_tasks_cannot_mend(cluster: str, task: str, message: str) -> None:
    with pytest.raises(ShardsError, match=message), connected(cluster):
        RayExecutor(max_in_flight=1).run(_FailingWorker(), [task], on_result=print, on_ticks=print)


class _UnknownWorker(_FailingWorker):
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return importlib.import_module, ("module_of_another_version",)


def test_machine_that_lacks_our_code(cluster: str) -> None:
    message = "could not begin a task: .*'module_of_another_version'; install the same version"
    with pytest.raises(ShardsError, match=message), connected(cluster):
        RayExecutor(max_in_flight=1).run(_UnknownWorker(), [""], on_result=print, on_ticks=print)


def test_object_store(
    config: PackConfig, expected: dict[str, str], bucket: str, hash_tree: HashTree, tmp_path: Path
) -> None:
    pack(replace(config, out=f"{bucket}/faces"))
    file_system, path = connect(f"{bucket}/faces")
    file_system.get(path, str(tmp_path / "copy"), recursive=True)
    assert hash_tree(tmp_path / "copy") == expected


class _CountingWorker:
    def run(self, task: int, tick: Tick) -> int:
        return task

    def close(self) -> None: ...


def test_tasks_are_drawn_as_they_are_done(cluster: str) -> None:
    drawn: list[int] = []
    done: list[int] = []
    ahead: list[int] = []

    def draw() -> Iterator[int]:
        for number in range(20):
            drawn.append(number)
            ahead.append(len(drawn) - len(done))
            yield number

    with connected(cluster):
        RayExecutor(max_in_flight=3).run(
            _CountingWorker(),
            draw(),
            on_result=done.append,
            on_ticks=lambda num_ticks: None,
        )
    assert sorted(done) == list(range(20))
    assert max(ahead) <= 4


def test_out_that_other_machines_do_not_see(cluster: str, tmp_path: Path) -> None:
    message = r"does not see .*nowhere; with Ray, all files and folders must lie"
    with pytest.raises(ShardsError, match=message), connected(cluster):
        RayExecutor(max_in_flight=1).run(
            _CountingWorker(),
            [1],
            on_result=print,
            on_ticks=print,
            needs=[tmp_path / "nowhere"],
        )


def test_other_versions_elsewhere() -> None:
    versions = {**get_versions(), "simplejpeg": "0.1"}
    with pytest.raises(ShardsError, match=r"has simplejpeg .* has 0\.1; install the same"):
        Surroundings(versions=versions, paths=()).check()


TRAPS = ("numpy.py", "json.py", "socket.py", "export.py", "faceae_shards.py")
SCRIPT = """
import sys
from faceae.cli import main
if __name__ == "__main__":
    sys.exit(main())
"""


def test_folder_of_traps(config: PackConfig, tmp_path: Path) -> None:
    """Ray puts the caller's current folder first on the path of its processes."""
    folder = tmp_path / "traps"
    (folder / "shards").mkdir(parents=True)
    for name in TRAPS:
        (folder / name).write_text(f"raise RuntimeError('imported {name} from the folder')\n")
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "faceae"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), "shard", str(config.source), str(config.out)]
    command += ["--executor", "ray", "--address", str(config.address)]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_refused_images_stop_it(config: PackConfig, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(20):
        (photos / f"{number}.jpg").write_bytes(b"no picture")
    with pytest.raises(ShardsError, match="stopped at"):
        pack(replace(config, source=photos))


def test_command_line(cluster: str, config: PackConfig, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["shard", str(config.source), str(config.out), "--executor", "ray"]
    assert run([*command, "--address", cluster, "--workers", "1"]) == 0
    printed = capsys.readouterr()
    assert "is complete: " in printed.out
    assert "ray" not in printed.err.lower()


def test_parquet(cluster: str, config: PackConfig, tmp_path: Path, hash_tree: HashTree) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    assert isinstance(config.source, Path)
    images = [{"bytes": file.read_bytes()} for file in sorted(config.source.rglob("*.jpg"))]
    parquet.write_table(pyarrow.table({"image": images}), tmp_path / "a.parquet")
    config = replace(config, source=tmp_path / "a.parquet")
    pack(config)
    pack(replace(config, out=tmp_path / "local", executor="local", address=None, workers=1))
    assert hash_tree(config.out) == hash_tree(tmp_path / "local")
    assert not (config.out / ".progress").exists()


def test_sigterm_takes_one_line_and_the_same_command_goes_on(
    cluster: str, config: PackConfig, tmp_path: Path, hash_tree: HashTree
) -> None:
    config = replace(config, samples_per_shard=1)
    command = [sys.executable, "-m", "faceae", "shard", str(config.source), str(config.out)]
    command += ["--split", "0.5,0.25,0.25", "--samples-per-shard", "1", "--executor", "ray"]
    process = subprocess.Popen(
        [*command, "--address", cluster], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    while not list(config.out.glob("*/*.tar")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 143, told.decode()
    # Progress comes before: the bar's last state, and a line each half minute on a slow machine.
    lines = [line for line in told.decode().splitlines() if not line.startswith(PROGRESS)]
    assert lines == ["faceae: error: terminated"]
    assert not (config.out / "dataset.json").exists()
    assert not list(config.out.rglob("*.faceae-part"))
    pack(config)
    pack(replace(config, out=tmp_path / "local", executor="local", address=None, workers=1))
    assert hash_tree(config.out) == hash_tree(tmp_path / "local")


def test_address_without_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for address, message in (
        (f"127.0.0.1:{port}", "Connection refused; start one with `ray start"),
        ("nonsense", "nonsense is no address of a Ray cluster"),
        ("ray://127.0.0.1:10001", "is no address of a Ray cluster"),
        ("127.0.0.1:99999999", "no Ray cluster can be used at"),
    ):
        with pytest.raises(ShardsError, match=message), connected(address):
            pass
    assert run(["shard", "photos", "out", "--executor", "ray", "--address", "nonsense"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_cluster_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "nonsense")
    with pytest.raises(ShardsError, match="nonsense is no address"), connected(AUTO):
        pass


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ShardsError, match=r"pip install 'faceae\[ray\]'"), connected(AUTO):
        pass


def test_a_machine_that_is_large_enough_joins_later(nodes: Any) -> None:
    import ray

    joined = []

    def join() -> None:
        if not joined:
            joined.append(nodes.add_node(**NODE | {"num_cpus": 2}))

    try:
        with connected(nodes.address):
            _wait_for_room(ray, {"num_cpus": 2}, join)
    finally:
        for node in joined:
            nodes.remove_node(node)
    assert joined
