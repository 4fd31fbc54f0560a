"""Latency and faces a second of `faceae serve`, against LitServe and a plain FastAPI handler.

All servers run the same exported generator (default size, as in `benchmarks.generate`) in the same
ONNX Runtime session on loopback, one under load at a time. A request asks for one face; the reply
is a .npy file. LitServe and we join up to 64 requests (ours: `--max-batch`); the FastAPI handler
runs the model for each, in one process with all cores, and in one process for each core. LitServe
has a process for each core, too.

- Saturation: every client asks again as soon as it has its reply.
- Open loop: requests arrive at 0.7 of the FastAPI handler's rate of the same round, whether or not
  earlier ones are done, and latency counts from the arrival.
- The bare model draws one face after another in this process.

`--soak` keeps 64 clients at saturation afterwards, and reports failures, descriptors, threads and
memory of the server. Without it the benchmark takes about six minutes; `--soak 600` adds ten.
"""

import argparse
import asyncio
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import peers, runner
from benchmarks.shared.models import make_model, make_sampler
from benchmarks.shared.servers import LITSERVE, NAIVE, OURS, WORKERS, Server, start
from benchmarks.shared.wire import MAX_BATCH, Client, arrive, saturate
from faceae.latent import latent_noise
from faceae.runs import TrainedModel
from faceae_export import export_model, open_session

log = logging.getLogger(__name__)

BARE = "bare model"
NUM_CLIENTS = (1, 8, 64)
OPEN_LOAD = 0.7
"""Arrivals of the open loop, as a share of the FastAPI handler's faces a second."""
QUANTILES = (0.5, 0.95, 0.99)
SOAK_PARTS = 6
CPU = torch.device("cpu")


async def _with_clients(
    server: Server, count: int, work: Any, *arguments: Any
) -> Any:  # what `work` returns
    clients = await server.connect(count)
    result = await work(clients, *arguments)
    for client in clients:
        await client.close()
    return result


def draw_bare(session: Any, seconds: float) -> list[float]:
    """Return the times in which the model alone draws one face each."""
    size = session.info.model.latent_size
    times: list[float] = []
    end = time.perf_counter() + seconds
    seed = 0
    while time.perf_counter() < end:
        began = time.perf_counter()
        session.run(latent_noise(seed, 0, 1, size), np.array(1, np.float32))
        times.append(time.perf_counter() - began)
        seed += 1
    return times


def measure(
    servers: dict[str, Server], session: Any, rounds: int, seconds: float
) -> tuple[dict[str, dict[str, list[float]]], dict[str, dict[str, list[float]]]]:
    """Return faces a second by level and contender, and latencies in ms by phase and contender.

    A phase is "1 client, closed loop" or "N clients, open loop".
    """
    rates: dict[str, dict[str, list[float]]] = {}
    latencies: dict[str, dict[str, list[float]]] = {}
    for number in range(rounds):
        for count in NUM_CLIENTS:
            log.info("round %d of %d, %d clients", number + 1, rounds, count)
            level = rates.setdefault(_level(count), {})
            for name, server in servers.items():
                rate = asyncio.run(_with_clients(server, count, saturate, seconds))
                level.setdefault(name, []).append(rate)
            per_s = OPEN_LOAD * level[NAIVE][-1]
            found = latencies.setdefault(_level(count), {})
            for name, server in servers.items():
                times = asyncio.run(_with_clients(server, count, arrive, per_s, seconds))
                found.setdefault(name, []).extend(1000 * value for value in times)
        alone = latencies.setdefault("alone", {})
        for name, server in servers.items():
            times = asyncio.run(_with_clients(server, 1, ask_alone, seconds))
            alone.setdefault(name, []).extend(1000 * value for value in times)
        bare = draw_bare(session, seconds)
        alone.setdefault(BARE, []).extend(1000 * value for value in bare)
    return rates, latencies


async def ask_alone(clients: Sequence[Client], seconds: float) -> list[float]:
    """Return the latencies of one client that asks again as soon as it has its reply."""
    (client,) = clients
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        await client.draw(len(times))
        times.append(time.perf_counter() - began)
    return times


def soak(server: Server, seconds: float) -> dict[str, Any]:
    """Keep 64 clients at saturation, and return what the server holds after each sixth.

    The first request that fails ends the soak.
    """
    held: list[dict[str, float]] = [_held(server)]

    async def run() -> str | None:
        clients = await server.connect(NUM_CLIENTS[-1])
        for _ in range(SOAK_PARTS):
            try:
                rate = await saturate(clients, max(1, seconds / SOAK_PARTS - 1))
            except (OSError, RuntimeError, asyncio.IncompleteReadError) as error:
                return f"{type(error).__name__}: {error}"
            held.append({"faces_per_s": rate, **_held(server)})
        return None

    failure = asyncio.run(run())
    return {"seconds": seconds, "clients": NUM_CLIENTS[-1], "failure": failure, "held": held}


def _held(server: Server) -> dict[str, float]:
    process = server.process
    return {
        "memory_mib": process.memory_info().rss / 2**20,
        "descriptors": process.num_fds(),
        "threads": process.num_threads(),
    }


def _level(count: int) -> str:
    return "1 client" if count == 1 else f"{count} clients"


def make_rows(rates: dict[str, dict[str, list[float]]]) -> list[runner.Row]:
    """Return the faces a second as rows; ratios are against the better peer of each round."""
    rows = []
    for group, contenders in rates.items():
        peers = [values for name, values in contenders.items() if name != OURS]
        best = [max(values) for values in zip(*peers, strict=True)]
        for name, values in contenders.items():
            ratios = [value / other for value, other in zip(values, best, strict=True)]
            rows.append(
                runner.Row(
                    group=group,
                    name=name,
                    peer=name != OURS,
                    items_per_s=values,
                    ratio=statistics.median(ratios),
                    ratio_low=min(ratios),
                    ratio_high=max(ratios),
                )
            )
    return rows


def list_contenders() -> list[str]:
    """Return ours and the peers that are installed."""
    if peers.load("fastapi") is None:
        runner.lack("fastapi, whose handler sets the load,")
    return [OURS, *([LITSERVE] if peers.load("litserve") else []), NAIVE, WORKERS]


def find_targets(
    rates: dict[str, dict[str, list[float]]], quantiles: dict[str, dict[str, dict[str, float]]]
) -> dict[str, float]:
    """Return the ratios at the most clients, and that of one client's latency."""
    most = rates[_level(NUM_CLIENTS[-1])]

    def ratio(peer: str) -> float:
        pairs = zip(most[OURS], most[peer], strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)

    alone = quantiles["alone"]
    litserve = {"faces_per_s_against_litserve": ratio(LITSERVE)} if LITSERVE in most else {}
    return {
        "faces_per_s_against_the_fastapi_handler": ratio(NAIVE),
        "faces_per_s_against_its_workers": ratio(WORKERS),
        **litserve,
        "p99_of_one_client_against_the_bare_model": alone[OURS]["p99"] / alone[BARE]["p99"],
    }


def summarise(latencies: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    """Return the quantiles of latencies in ms, by phase and contender."""
    return {
        phase: {
            name: {f"p{100 * q:.0f}": float(np.quantile(values, q)) for q in QUANTILES}
            for name, values in contenders.items()
        }
        for phase, contenders in latencies.items()
    }


def print_latencies(quantiles: dict[str, Any]) -> None:
    """Print the quantiles as a table."""
    print("\n| phase | way | " + " | ".join(f"p{100 * q:.0f}, ms" for q in QUANTILES) + " |")
    print("|---" * (2 + len(QUANTILES)) + "|")
    for phase, contenders in quantiles.items():
        for name, figures in contenders.items():
            cells = (f"{value:.1f}" for value in figures.values())
            print(f"| {phase} | {name} | " + " | ".join(cells) + " |")


def main() -> None:
    """Measure, write results/serve.json and serve.svg, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of each phase")
    parser.add_argument("--max-batch", type=int, default=MAX_BATCH, help="of faceae serve")
    parser.add_argument("--width", type=int, default=64, help="channels of the first layer")
    parser.add_argument("--soak", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--dry", action="store_true", help="print only")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("benchmarks").setLevel(logging.INFO)
    load, names = os.getloadavg(), list_contenders()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network, sampler = make_model(options.width), make_sampler()
        trained = TrainedModel(model=network, dataset_hash="", crop=None, sampler=sampler)
        model = export_model(trained, "onnx", "generator", folder / "generator.onnx", CPU).path
        session = open_session(model, CPU)
        with start(names, model, folder, options.max_batch) as servers:
            rates, latencies = measure(servers, session, options.rounds, options.seconds)
            soaked = soak(servers[OURS], options.soak) if options.soak else None
    rows, quantiles = make_rows(rates), summarise(latencies)
    findings = {
        "latency_ms": quantiles,
        "targets": find_targets(rates, quantiles),
        "soak": soaked,
    }
    settings = {
        "threads": torch.get_num_threads(),
        "seconds": options.seconds,
        "width": options.width,
        "open_load": OPEN_LOAD,
        "max_batch": {OURS: options.max_batch, LITSERVE: MAX_BATCH},
        "load_average_before": load,
        "load_average_after": os.getloadavg(),
    }
    if not options.dry:
        runner.save("serve", rows, settings, findings)
        runner.plot("serve", rows)
    print(runner.table(rows))
    print_latencies(quantiles)
    print()
    for name_, value in findings["targets"].items():
        print(f"{name_}: {value:.2f}")
    for held in (soaked or {}).get("held", ()):
        print({key: round(value, 1) for key, value in held.items()})
    if soaked:
        print(f"soak of {soaked['seconds']:g} s: {soaked['failure'] or 'no request failed'}")


if __name__ == "__main__":
    main()
