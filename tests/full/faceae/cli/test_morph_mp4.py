"""faceae morph to MP4, which needs PyAV."""

from pathlib import Path

import av

from faceae.cli import run


def test_a_chain_as_mp4(fitted_run: Path, face_folder: Path, tmp_path: Path) -> None:
    chain = [str(path) for path in sorted(face_folder.rglob("*.jpg"))[:3]]
    out = tmp_path / "m.mp4"
    options = ["--seconds", "0.8", "--ease", "--scale", "2"]
    assert run(["morph", str(fitted_run), *chain, str(out), *options]) == 0
    with av.open(str(out)) as movie:
        frames = list(movie.decode(video=0))
    assert len(frames) == 20, "25 frames per second, there and back"
    assert (frames[0].width, frames[0].height) == (64, 64)
