"""Training, and fitting the latents."""

from pathlib import Path
from typing import Any

import faceae.training
from faceae.device import DeviceName, resolve_device
from faceae.latent import PriorKind, fit_latents, save_prior
from faceae.model import load_model
from faceae.runs import TrainConfig, begin_from_run, parse_start, read_run
from faceae.training import TrainResult

from ._data import as_location, open_dataset


def train(
    data: str | Path, run: str | Path, *, resume: bool = False, **options: Any
) -> TrainResult:
    """Train an autoencoder on a packed dataset.

    Args:
        data: the dataset.
        run: folder to write: new or empty, or with `resume` that of an interrupted run.
        resume: go on from the last checkpoint of `run`; other options must be left out, or be
            those the run was started with. `epochs` may be more where the run is finished.
        options: fields of `faceae.runs.TrainConfig`, such as `epochs=20`, `batch_size=64`,
            `model="variational"`, `device="cuda"` and `amp=True`.

    Raises:
        FaceaeError, ShardsError: an option, the dataset, the device or the folder cannot be used,
            or the loss is no longer finite.
        TypeError: an option that does not exist.
    """
    if "init" in options:
        options["init"] = parse_start(str(options["init"]))
    if "tracker" in options:
        trackers = options["tracker"]
        options["tracker"] = (trackers,) if isinstance(trackers, str) else tuple(trackers)
    if resume:
        return faceae.training.resume(Path(run), as_location(data), options)
    options = begin_from_run(options)
    config = TrainConfig(data=as_location(data), run=Path(run), **options)
    return faceae.training.train(config)


def fit(
    run: str | Path,
    data: str | Path,
    *,
    prior: PriorKind = "normal",
    split: str = "train",
    batch_size: int = 256,
    device: DeviceName = "auto",
) -> None:
    """Fit a prior of a run's latents, from which new faces are drawn.

    Writes `latents.safetensors` into the run's folder. A prior of before is replaced only when the
    new one is complete. If a launcher such as torchrun has started several processes, all of them
    must call this: they share the encoding, and the first one fits and writes.

    Args:
        prior: "normal" is one normal distribution, "gmm" a Gaussian mixture, "flow" a
            flow-matching network, which takes minutes to train, and "pairs" mixtures of two
            training faces, whose latents are kept in the file and in exported generators.
        split: split of the dataset to fit on.
        batch_size: faces per batch. Does not change the result.
        device: device to encode and to train a flow on; auto takes the GPU if there is one.

    Raises:
        FaceaeError, ShardsError: there is no such run, dataset or split, it has too few faces, or
            the device cannot be used.
    """
    opened = read_run(Path(run))
    model = load_model(opened.model_path, resolve_device(device))
    fitted = fit_latents(model, open_dataset(data), prior=prior, split=split, batch_size=batch_size)
    if fitted is not None:
        save_prior(fitted.prior, opened.latents_path)
