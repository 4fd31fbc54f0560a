"""What the real img2dataset writes becomes a dataset.

It asks for older packages than ours, so that it has an environment of its own beside the one that
runs the tests; `make test-full` makes it.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from faceae_shards import adopt, verify

HashTree = Callable[[Path], dict[str, str]]

IMG2DATASET = Path(sys.prefix).with_name(".venv-img2dataset") / "bin" / "img2dataset"


class _SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def url(face_folder: Path) -> Iterator[str]:
    """Where a local server has the faces."""
    handler = partial(_SilentHandler, directory=str(face_folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def download(urls: list[str], folder: Path, *options: str) -> None:
    """Let img2dataset write shards of four into `folder`."""
    assert IMG2DATASET.exists(), f"{IMG2DATASET} is missing; `make test-full` installs it"
    table = folder.with_suffix(".csv")
    lines = [f"{url},face {number}" for number, url in enumerate(urls)]
    table.write_text("\n".join(["url,caption", *lines]))
    command = [
        *(str(IMG2DATASET), "--url_list", str(table), "--input_format", "csv"),
        *("--url_col", "url", "--caption_col", "caption"),
        *("--output_format", "webdataset", "--output_folder", str(folder)),
        *("--number_sample_per_shard", "4", "--processes_count", "1", "--thread_count", "4"),
    ]
    environment = {**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1", "WANDB_MODE": "disabled"}
    subprocess.run([*command, *options], check=True, env=environment, capture_output=True)


@pytest.mark.parametrize(
    "options",
    [("--image_size", "64"), ("--disable_all_reencoding", "True")],
    ids=["resized", "untouched"],
)
def test_its_shards_with_a_picture_that_is_not_there(
    url: str, face_folder: Path, tmp_path: Path, hash_tree: HashTree, options: tuple[str, ...]
) -> None:
    names = [f.relative_to(face_folder).as_posix() for f in sorted(face_folder.rglob("*.jpg"))]
    urls = [f"{url}/{name}" for name in [*names[:6], "missing.jpg"]]
    folder = tmp_path / "wds"
    download(urls, folder, *options)
    before = hash_tree(folder)
    assert {Path(name).suffix for name in before} == {".tar", ".json", ".parquet"}
    dataset = adopt(folder, workers=1)
    assert [shard.num_samples for shard in dataset.splits["train"]] == [4, 2]
    assert "caption" in dataset.manifest.annotations
    assert before.items() <= hash_tree(folder).items()
    assert verify(folder, workers=1).problems == ()
