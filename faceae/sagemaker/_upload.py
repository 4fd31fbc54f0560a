"""Uploads photographs, datasets and models to S3."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from faceae.errors import FaceaeError
from faceae.runs import read_run, run_file
from faceae_shards import PART_SUFFIX

from ._archive import write_model_archive
from ._aws import Place, check_bucket, explained, open_client, parse_place

_ARCHIVE = "model.tar.gz"
_LAST = "dataset.json"
"""A dataset with this file counts as complete."""

OnFile = Callable[[str], None]
"""Receives the URL of each file that is there."""


def upload(path: Path, url: str, on_file: OnFile = lambda url: None) -> str:
    """Upload a run as model.tar.gz, or a folder or a file as it is.

    Args:
        url: prefix of a run's archive or of a folder; of a file its own URL, or with a final slash
            its prefix.

    Returns:
        The URL to give to a job: that of the archive, the folder or the file.

    Raises:
        FaceaeError: there is no such file or bucket, the run has no model, or AWS refuses.
    """
    place = parse_place(url)
    if not path.exists():
        raise FaceaeError(f"{path}: does not exist")
    check_bucket(place)
    if path.is_dir() and run_file(path).is_file():
        return _upload_model(path, place, on_file)
    if path.is_dir():
        for file in _list_files(path):
            _put(file, place.join(file.relative_to(path).as_posix()), on_file)
        return str(place)
    target = place if place.key and not place.key.endswith("/") else place.join(path.name)
    _put(path, target, on_file)
    return str(target)


def _upload_model(run: Path, place: Place, on_file: OnFile) -> str:
    target = place if place.key.endswith(".tar.gz") else place.join(_ARCHIVE)
    with tempfile.TemporaryDirectory(prefix="faceae-") as folder:
        archive = Path(folder) / _ARCHIVE
        write_model_archive(read_run(run), archive)
        _put(archive, target, on_file)
    return str(target)


def _list_files(folder: Path) -> Iterator[Path]:
    """Yield all files that are no remains of an interrupted command, dataset.json last."""
    files = [file for file in folder.rglob("*") if file.is_file() and not _is_hidden(file, folder)]
    if not files:
        raise FaceaeError(f"{folder}: holds no file")
    yield from sorted(files, key=lambda file: (file == folder / _LAST, file))


def _is_hidden(file: Path, folder: Path) -> bool:
    parts = file.relative_to(folder).parts
    return file.name.endswith(PART_SUFFIX) or any(part.startswith(".") for part in parts)


def _put(file: Path, place: Place, on_file: OnFile) -> None:
    client = open_client("s3")
    with explained(str(place)):
        client.upload_file(str(file), place.bucket, place.key)
    on_file(str(place))
