"""Faces a second of training, against one resident batch and against a tutorial script.

The default model trains on drawn faces of 64x64. "Resident batch" repeats steps on one batch in
memory: the speed of training if loading took no time. Our rates are reported as a share of it. The
peer, "slow script" in the result, trains as tutorials do: torch's DataLoader over loose JPEGs with
Pillow and two workers, a float32 loop in torch's default layout, and a loss read at every step. It
uses Adam.
"""

import argparse
import logging
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

import faceae_shards
from benchmarks import runner
from benchmarks.load import pack_faces
from benchmarks.peers.dataloader import make_loose
from benchmarks.shared.packing import NUM_WORKERS
from benchmarks.shared.reading import IMAGE_SIZE, read_pillow
from faceae.data import LoaderConfig, make_loader
from faceae.device import choose_amp
from faceae.distributed import Ranks
from faceae.model import FaceAutoEncoder, ModelConfig
from faceae.synthetic import SynthConfig, write_dataset
from faceae.training import TrainConfig
from faceae.training.step import TrainState, make_train_state, train_step

log = logging.getLogger(__name__)

CPU = torch.device("cpu")
BATCH_SIZE = 64
STEPS_A_TURN = 8
RESIDENT = "resident batch"


def endless(open_epoch: Callable[[], Iterator[torch.Tensor]]) -> Iterator[torch.Tensor]:
    """Yield batches of epoch after epoch."""
    while True:
        yield from open_epoch()


def prepare_learner(folder: Path, width: int, *, amp: bool) -> TrainState:
    """Return a train state as `faceae train` makes it."""
    torch.manual_seed(0)
    choice = choose_amp(CPU, amp)
    log.info("number type: %s", choice.reason)
    return make_train_state(
        ModelConfig(width=width),
        TrainConfig(data=folder, run=folder / "run", batch_size=BATCH_SIZE),
        device=CPU,
        amp_dtype=choice.dtype,
        total_steps=10_000,
        ranks=Ranks(),
    )


def ours(train_state: TrainState, batches: Iterator[torch.Tensor]) -> Callable[[], int]:
    """Run steps of our loop; the loss is read once a turn, as on logged steps."""

    def work() -> int:
        for step in range(STEPS_A_TURN):
            losses = train_step(train_state, step, next(batches))
        losses.loss.item()
        return STEPS_A_TURN * BATCH_SIZE

    return work


def slow_script(width: int, batches: Iterator[torch.Tensor]) -> Callable[[], int]:
    """Run steps of the tutorial script."""
    torch.manual_seed(0)
    model = FaceAutoEncoder(ModelConfig(width=width)).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def work() -> int:
        for _ in range(STEPS_A_TURN):
            images = next(batches).float() / 127.5 - 1
            loss = nn.functional.mse_loss(model(images), images)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
        return STEPS_A_TURN * BATCH_SIZE

    return work


def contenders(folder: Path, count: int, width: int) -> list[runner.Contender]:
    """Draw and pack the faces and return the contenders."""
    write_dataset(SynthConfig(out=folder / "faces", count=count, seed=0))
    loose = folder / "faces" / "img_align_celeba"
    whole = pack_faces(loose, folder / "whole")
    npy = pack_faces(loose, folder / "npy", size=IMAGE_SIZE, encoding="npy")
    train_state = prepare_learner(folder, width, amp=True)

    def batches(dataset: faceae_shards.Dataset, cache: Any) -> Iterator[torch.Tensor]:
        config = LoaderConfig(
            split="train", batch_size=BATCH_SIZE, image_size=IMAGE_SIZE, training=True
        )
        loader = make_loader("dali", dataset, config, CPU, cache)
        return endless(lambda: (batch.images for batch in loader))

    resident = next(batches(npy, "none"))
    loose_loader = make_loose(loose, read_pillow, NUM_WORKERS, BATCH_SIZE)
    ways = [
        ("slow script", True, slow_script(width, endless(lambda: iter(loose_loader)))),
        (RESIDENT, False, ours(train_state, endless(lambda: iter([resident])))),
        ("faceae, cache", False, ours(train_state, batches(npy, "ram"))),
        ("faceae, npy 64x64", False, ours(train_state, batches(npy, "none"))),
        ("faceae, jpg 178x218", False, ours(train_state, batches(whole, "none"))),
        (
            "faceae, npy 64x64, float32",
            False,
            ours(prepare_learner(folder, width, amp=False), batches(npy, "none")),
        ),
    ]
    return [
        runner.Contender(name=name, peer=peer, rate=runner.timed(work)) for name, peer, work in ways
    ]


def shares_of_resident(rows: list[runner.Row]) -> dict[str, float]:
    """Return each rate as a share of the resident batch's in the same round; median."""
    (resident,) = (row.items_per_s for row in rows if row.name == RESIDENT)
    return {
        row.name: statistics.median(
            rate / best for rate, best in zip(row.items_per_s, resident, strict=True)
        )
        for row in rows
    }


def main() -> None:
    """Measure, write results/train.json and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4096, help="faces to draw")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--width", type=int, default=64, help="channels of the first layer")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as folder:
        ways = contenders(Path(folder), options.count, options.width)
        rows = runner.measure(ways, options.rounds)
    settings = {"count": options.count, "batch_size": BATCH_SIZE, "steps_a_turn": STEPS_A_TURN}
    settings["width"] = options.width
    findings = {"shares_of_resident_batch": shares_of_resident(rows)}
    runner.save("train", rows, settings, findings)
    runner.plot("train", rows)
    print(runner.table(rows))
    print(findings)


if __name__ == "__main__":
    main()
