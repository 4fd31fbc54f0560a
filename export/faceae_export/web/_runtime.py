"""ONNX Runtime Web, from npm's package onnxruntime-web."""

import base64
import hashlib
import io
import logging
import shutil
import subprocess
import tarfile
import tempfile
import textwrap
from pathlib import Path

from faceae.errors import FaceaeError

log = logging.getLogger(__name__)

VERSION = "1.26.0"
"""Version of the package, equal to that of the ONNX Runtime that checks the files.
static/browser.js holds it, too."""
INTEGRITY = (
    "sha512-LbRr/8zZt2xilI2smrVQGGKINo0U46i8"
    "qJp+UXyMBGfqN7KjnH1BiwCwLwyNIVV4i9CKFv7Sf4PwLKWnT8/bEA=="
)
"""Hash of the tarball, from `npm view onnxruntime-web@VERSION dist.integrity`."""

_PACK = f"npm pack onnxruntime-web@{VERSION}"
_TARBALL = f"onnxruntime-web-{VERSION}.tgz"
_MEMBERS = {
    "ort.js": "package/dist/ort.wasm.bundle.min.mjs",
    "ort.wasm": "package/dist/ort-wasm-simd-threaded.wasm",
}
"""Files of a page, by their new names. Some servers do not know the content type of .mjs."""
_REASON_CHARS = 300


def read_runtime(tarball: Path | None) -> dict[str, bytes]:
    """Return the files of ONNX Runtime Web that a page needs, by name.

    Args:
        tarball: a tarball from `npm pack`. None: download it with npm, which uses its own
            configuration and cache.

    Raises:
        FaceaeError: npm is not installed or fails, or the tarball is not the tested one.
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
            "ONNX Runtime Web is downloaded with npm, which is not installed; install Node.js, or "
            f"run `{_PACK}` on another machine and pass its file as `onnxruntime_web`"
        )
    log.debug("fetching ONNX Runtime Web with npm")
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
            f"`{_PACK}` failed ({reason}); run it on another machine and pass its file as "
            "`onnxruntime_web`"
        )
    return folder / _TARBALL


def _unpack(tarball: Path) -> dict[str, bytes]:
    content = tarball.read_bytes()
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        raise FaceaeError(
            f"{tarball}: the sha512 is not that of npm's {_TARBALL}; download it again with "
            f"`{_PACK}`"
        )
    files = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        for name, member in _MEMBERS.items():
            file = tar.extractfile(member)
            assert file is not None
            files[name] = file.read()
    return files
