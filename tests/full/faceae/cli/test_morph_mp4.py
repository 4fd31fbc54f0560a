"""faceae morph to MP4, which needs PyAV."""

from pathlib import Path

import av

from faceae.cli import run


def test_a_chain_as_mp4(fitted_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.mp4"
    options = ["--numbers", "0,1,2", "--seconds", "0.8", "--ease", "--scale", "2"]
    assert run(["morph", str(fitted_run), str(out), *options]) == 0
    with av.open(str(out)) as movie:
        frames = list(movie.decode(video=0))
    assert len(frames) == 20, "25 frames per second, there and back"
    assert (frames[0].width, frames[0].height) == (64, 64)
