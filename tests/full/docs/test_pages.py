"""Every command and Python block of README and docs/ runs, each page from top to bottom.

A comment before a block says why it is not run: `<!-- not run: REASON -->`.
"""

import contextlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

import faceae
from faceae.cli import run
from faceae.synthetic import SynthConfig, write_dataset

ROOT = Path(__file__).parent.parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SLOW = ("python.md", "exporting.md")
"""Pages with a model of the default size: `tests/test_docs_python.py` runs them."""
FENCE = re.compile(r"^```(\S*)\n.*?^```$", re.M | re.S)
LANGUAGES = {"sh", "python", "toml", "{toctree}"}
MARK = re.compile(r"<!-- not run: [^\n]+ -->\n\Z")
FROM_PHOTOGRAPHS = {"README.md", "celeba.md", "own-photographs.md", "photographs.md"}
"""Pages whose reader has photographs only. On the others there is a trained run, too."""
SMALL = {
    "train": ["--epochs", "1", "--width", "8", "--latent-size", "32"],
    "tune": ["--trials", "2", "--epochs", "1", "--width", "8"],
    "fit": ["--prior", "normal"],
    "generate": ["-n", "70"],
}
"""Options that are added to a verb's, so that it works for seconds and with few faces."""
NUM_PHOTOS, NUM_FACES = 100, 500
SERVER = "127.0.0.1:8080"


def name_of(page: Path) -> str:
    return page.name


def _brightness_of(path: Path) -> float:
    with Image.open(path) as image:
        return float(np.asarray(image).mean())


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos` and `img_align_celeba.zip` in CelebA's layout, and single pictures."""
    folder = tmp_path_factory.mktemp("photographs")
    write_dataset(SynthConfig(out=folder / "photos", count=NUM_PHOTOS, seed=0, workers=1))
    pictures = sorted((folder / "photos/img_align_celeba").glob("*.jpg"))
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        for picture in pictures:
            archive.write(picture, f"img_align_celeba/{picture.name}")
    for number, name in enumerate(("anna", "ben", "carla", "a", "b", "c", "d")):
        shutil.copy(pictures[number], folder / f"{name}.jpg")
    by_brightness = sorted(pictures, key=_brightness_of)
    parts = {"hats": by_brightness[:30], "none": by_brightness[-30:], "phone-photos": pictures[:60]}
    for name, part in parts.items():
        (folder / name).mkdir()
        for picture in part:
            shutil.copy(picture, folder / name)
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, photographs: Path) -> Path:
    """The same with a dataset `packed` and a fitted run `runs/a` that has directions."""
    folder = tmp_path_factory.mktemp("trained") / "folder"
    shutil.copytree(photographs, folder)
    write_dataset(SynthConfig(out=folder / "many", count=NUM_FACES, seed=1, workers=1))
    data, model = str(folder / "packed"), str(folder / "runs/a")
    faceae.pack(folder / "many", data, crop=178, size=64, workers=1)
    shutil.rmtree(folder / "many")
    faceae.train(data, run=model, epochs=1, width=16, latent_size=128)
    faceae.fit(model, data)
    assert run(("directions", model, data)) == 0
    return folder


class Shell:
    """Runs the lines of a page's sh blocks: verbs in this process, servers beside it."""

    def __init__(self) -> None:
        self.server: subprocess.Popen[bytes] | None = None
        self.address = SERVER

    def __call__(self, example: Example) -> None:
        if MARK.search(example.document.text[: example.region.start]):
            return
        for line in example.parsed.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                self._run(words)

    def _run(self, words: list[str]) -> None:
        words = [word.replace(SERVER, self.address) for word in words]
        if words[:2] == ["faceae", "serve"]:
            self._serve(words[1:])
        elif words[0] == "faceae":
            assert run([*words[1:], *SMALL.get(words[1], [])]) == 0, shlex.join(words)
        elif words[0] == "curl":
            subprocess.run([*words, "--fail", "--silent", "--show-error"], check=True)
        else:
            raise AssertionError(f"{shlex.join(words)}: mark its block as not run")

    def _serve(self, words: list[str]) -> None:
        command = [sys.executable, "-m", "faceae", *words, "--port", "0"]
        log = Path("server.log")
        with log.open("wb") as file:
            self.server = subprocess.Popen(command, stderr=file, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.server.poll() is None:
            found = re.search(r"http://([\d.]+:\d+)", log.read_text(encoding="utf-8"))
            with contextlib.suppress(OSError):
                if found is not None and urllib.request.urlopen(f"http://{found[1]}/ping").status:
                    self.address = found[1]
                    return
            time.sleep(0.2)
        raise AssertionError(f"the server did not start: {log.read_text(encoding='utf-8')}")

    def close(self) -> None:
        """Stop the server, if there is one."""
        if self.server is not None:
            self.server.terminate()
            self.server.wait(timeout=60)


@pytest.fixture
def shell() -> Iterator[Shell]:
    shell = Shell()
    yield shell
    shell.close()


def _is_run(page: Path) -> bool:
    languages = {match[1] for match in FENCE.finditer(page.read_text(encoding="utf-8"))}
    return page.name not in SLOW and bool(languages & {"python", "sh", "toml"})


def _read_toml(example: Example) -> None:
    assert tomllib.loads(example.parsed)


@pytest.mark.parametrize("page", [page for page in PAGES if _is_run(page)], ids=name_of)
def test_page_runs(
    page: Path,
    shell: Shell,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsers = (
        PythonCodeBlockParser(),
        CodeBlockParser("sh", shell),
        CodeBlockParser("toml", _read_toml),
    )
    examples = list(Document.parse(str(page), *parsers).examples())
    assert examples
    begin = "photographs" if page.name in FROM_PHOTOGRAPHS else "trained"
    folder = shutil.copytree(request.getfixturevalue(begin), tmp_path / "reader")
    monkeypatch.chdir(folder)
    for example in examples:
        example.evaluate()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_have_a_known_language(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert {match[1] for match in FENCE.finditer(text)} <= LANGUAGES


def test_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", plt.close)
    path = ROOT / "docs" / "notebooks" / "faces.ipynb"
    names: dict[str, object] = {}
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        if cell["cell_type"] == "code":
            source = "".join(cell["source"]).replace("count=600", "count=100")
            exec(compile(source, f"{path.name}, cell {number}", "exec"), names)
    assert "new_faces" in names
