"""model.tar.gz: a run as SageMaker deploys it."""

import gzip
import io
import tarfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from faceae.errors import FaceaeError
from faceae.runs import Run, open_run
from faceae_shards import atomic_path

_SUFFIX = ".tar.gz"


def write_model_archive(run: Run, out: Path) -> list[str]:
    """Write a model.tar.gz with a run's model, its latents, and the toolkits' inference.py.

    Unpacked, it is a run's folder: `faceae serve /opt/ml/model` serves it. The same files give the
    same bytes. The archive appears complete or not at all.

    Returns:
        Names of the files in it.

    Raises:
        FaceaeError: the run has no whole model, or `out` does not end in .tar.gz.
    """
    if not out.name.endswith(_SUFFIX):
        raise FaceaeError(f"{out}: SageMaker's archive must end in {_SUFFIX}")
    open_run(run)  # refuses damaged files, and latents of other weights
    files = dict(list_model_files(run))
    with (
        atomic_path(out) as part,
        part.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return list(files)


def list_model_files(run: Run) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each file that a deployed model needs."""
    for path in (run.file, run.model_path, run.latents_path, run.directions_path):
        if path.is_file():
            yield path.name, path.read_bytes()
    script = resources.files("faceae.sagemaker") / "scripts" / "inference.py"
    yield "code/inference.py", script.read_bytes()
