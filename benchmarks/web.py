"""Faces a second in Chromium, by the precision of the page's decoder.

Compares the page of `faceae export web` in int8 and in fp16 with the same page in float32, the
peer. The model is that of `benchmarks.generate`: default size, random weights. All pages stay open.
Batches are those of the page: one face for the morph, four for the grid. Needs the packages that
`make test-full` installs.
"""

import argparse
import functools
import http.server
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from benchmarks import runner
from benchmarks.shared.models import make_model
from faceae.latent import LatentMoments, NormalSampler
from faceae.runs import TrainedModel
from faceae_export import ExportReport, export_model, export_web

try:
    from selenium import webdriver
except ImportError:
    runner.lack("selenium")

CPU = torch.device("cpu")
BATCH_SIZES = (1, 4)
FACES_A_TURN = 24
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
_OPEN = """
    const done = arguments[0];
    const start = performance.now();
    (async () => {
      window.facts = await (await fetch("./model.json")).json();
      const { openBrowser } = await import("./browser.js");
      window.faces = await openBrowser(window.facts);
      done((performance.now() - start) / 1000);
    })();
"""
_DRAW = """
    const [batch, count, done] = arguments;
    const latents = Array(batch).fill(new Float32Array(window.facts.latentSize).fill(0.5));
    (async () => {
      const start = performance.now();
      for (let face = 0; face < count; face += batch) await window.faces.decode(latents);
      done(count / ((performance.now() - start) / 1000));
    })();
"""


def write_pages(folder: Path, width: int) -> dict[str, ExportReport]:
    """Write the page in each precision to a folder named by the precision."""
    model = make_model(width)
    size = model.config.latent_size
    moments = LatentMoments(size)
    moments.update(np.random.default_rng(0).normal(size=(2 * size, size)))
    sampler = NormalSampler(moments.normal_prior(weights_hash="", dataset_hash=""))
    trained = TrainedModel(model=model, dataset_hash="", crop=None, sampler=sampler)
    reports = {
        "int8": export_web(trained, folder / "int8", precision="int8").report,
        "fp16": export_web(trained, folder / "fp16", precision="fp16").report,
    }
    shutil.copytree(folder / "fp16", folder / "fp32")
    path = folder / "fp32" / "decoder.onnx"
    return reports | {"fp32": export_model(trained, "onnx", "decoder", path, CPU)}


def _measure_generator(page: Path) -> int:
    """Return the bytes of the two files that draw faces."""
    return sum((page / f"{part}.onnx").stat().st_size for part in ("sampler", "decoder"))


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder and yield its address."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def open_chromium() -> webdriver.Chrome:
    """Return a headless browser with an empty page."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in FLAGS:
        options.add_argument(flag)
    return webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))


def _contender(
    driver: webdriver.Chrome, window: str, name: str, batch_size: int
) -> runner.Contender:
    def rate() -> float:
        driver.switch_to.window(window)
        return float(driver.execute_async_script(_DRAW, batch_size, FACES_A_TURN))

    return runner.Contender(group=f"batch {batch_size}", name=name, peer=name == "fp32", rate=rate)


def main() -> None:
    """Measure, write results/web.json and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--width", type=int, default=64, help="channels of the first layer")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        runner.lack("chromium or chromedriver")
    logging.getLogger("benchmarks").setLevel(logging.INFO)
    load = os.getloadavg()
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as address:
        reports = write_pages(Path(folder), options.width)
        sizes = {name: _measure_generator(Path(folder, name)) for name in reports}
        driver = open_chromium()
        try:
            driver.set_script_timeout(120)
            windows, load_seconds = {}, {}
            for name in reports:
                driver.switch_to.new_window("tab")
                driver.get(f"{address}/{name}/")
                load_seconds[name] = driver.execute_async_script(_OPEN)
                windows[name] = driver.current_window_handle
            contenders = [
                _contender(driver, window, name, batch_size)
                for batch_size in BATCH_SIZES
                for name, window in windows.items()
            ]
            rows = runner.measure(contenders, options.rounds)
            version = driver.capabilities["browserVersion"]
        finally:
            driver.quit()
    settings = {
        "chromium": version,
        "faces_a_turn": FACES_A_TURN,
        "width": options.width,
        "load_average_before": load,
        "load_average_after": os.getloadavg(),
    }
    findings = {
        "load_seconds": load_seconds,
        "generator_bytes": sizes,
        "psnr_db": {name: report.parity.psnr_db for name, report in reports.items()},
    }
    runner.save("web", rows, settings, findings)
    print(runner.table(rows))


if __name__ == "__main__":
    main()
