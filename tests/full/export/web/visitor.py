"""What a visitor of the page does and sees in Chromium, and what its models draw."""

import base64
import functools
import http.server
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import onnxruntime
import torch
import uvicorn
from numpy.typing import NDArray
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from faceae.latent import latent_noise
from faceae.model import to_uint8
from faceae.runs import TrainedModel
from faceae.serving import ServeConfig, ServedModel, create_app, open_socket
from faceae_export import Kind, open_model

LATENT_SIZE = 64
NUM_FACES = 12
ATTRIBUTES = ("Smiling", "Wavy_Hair")
CPU = torch.device("cpu")


class Handler(http.server.SimpleHTTPRequestHandler):
    """What `python -m http.server` runs, without its log."""

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serve_folder(folder: Path) -> Iterator[str]:
    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def serve_model(trained: TrainedModel, config: ServeConfig) -> Iterator[str]:
    parts: tuple[Kind, ...] = ("encoder", "decoder", "generator", "sampler")
    sessions = {part: open_model(trained, part, CPU) for part in parts}
    model = ServedModel(name="small", sessions=sessions, directions=trained.directions)
    listener = open_socket("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(model, config), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    while not server.started or urlopen(f"{address}health/live").status != 200:
        time.sleep(0.05)
    yield address
    server.should_exit = True
    thread.join()


class Page:
    """The page, freshly opened."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver = driver
        driver.get("about:blank")  # an address that differs after # only would load nothing
        driver.get_log("browser")  # of the tests before
        driver.get_log("performance")
        driver.get(address)
        self.wait()

    def wait(self) -> None:
        """Wait until all is drawn."""
        main = self.driver.find_element(By.TAG_NAME, "main")
        WebDriverWait(self.driver, 60, 0.05).until(
            lambda _: main.get_attribute("aria-busy") == "false"
        )

    def type(self, name: str, *keys: str) -> None:
        """Give an element the focus, and then keys."""
        self.driver.find_element(By.ID, name).send_keys(*keys)
        self.wait()

    def set_seed(self, seed: str) -> None:
        self.type("seed", Keys.CONTROL + "a", Keys.NULL, seed, Keys.ENTER)

    def choose(self, face: int) -> None:
        self.driver.find_elements(By.CSS_SELECTOR, "#grid button")[face].send_keys(Keys.SPACE)
        self.wait()

    def find(self, name: str) -> WebElement:
        return self.driver.find_element(By.ID, name)

    def click(self, name: str) -> None:
        self.find(name).click()
        self.wait()

    def upload(self, end: int, path: Path) -> None:
        """Give a photograph to an end of the morph."""
        self.driver.find_elements(By.CSS_SELECTOR, ".end input")[end].send_keys(str(path))

    def use(self) -> None:
        """Take the photograph as the dialog frames it."""
        WebDriverWait(self.driver, 60).until(lambda _: self.find("use").is_displayed())
        self.click("use")

    def wait_for_share(self, value: str) -> None:
        """Wait until the slider has followed the mouse, and the picture the slider."""
        share = self.find("share")
        WebDriverWait(self.driver, 60).until(lambda _: share.get_property("value") == value)
        self.wait()

    def set_edit(self, name: str, strength: float) -> None:
        slider = self.driver.find_element(By.NAME, name)
        key = Keys.ARROW_RIGHT if strength > 0 else Keys.ARROW_LEFT
        slider.send_keys(key * round(abs(strength) * 10))
        self.wait()

    def ends(self) -> NDArray[np.uint8]:
        return self.pictures(".end canvas")

    def pictures(self, selector: str) -> NDArray[np.uint8]:
        """Return what canvases show, N x S x S x 3 uint8."""
        script = f"return [...document.querySelectorAll('{selector}')].map(c => c.toDataURL())"
        urls = self.driver.execute_script(script)
        files = [base64.b64decode(url.partition(",")[2]) for url in urls]
        return np.stack([np.array(Image.open(io.BytesIO(file)).convert("RGB")) for file in files])

    def faces(self) -> NDArray[np.uint8]:
        return self.pictures("#grid canvas")

    def morph(self) -> NDArray[np.uint8]:
        return self.pictures("#morph")[0]


def run(folder: Path, part: str, **inputs: NDArray[Any]) -> NDArray[Any]:
    """Run a model of the page in ONNX Runtime for Python."""
    session = onnxruntime.InferenceSession(
        folder / f"{part}.onnx", providers=["CPUExecutionProvider"]
    )
    result: NDArray[Any] = session.run(None, inputs)[0]
    return result


def sample(folder: Path, numbers: list[int], truncation: float = 1.0) -> NDArray[np.float32]:
    """Return the latents of faces of seed 1."""
    noise_NZ = latent_noise(1, 0, max(numbers) + 1, LATENT_SIZE)[numbers]
    return run(folder, "sampler", noise=noise_NZ, truncation=np.array(truncation, np.float32))


def decode(folder: Path, latents_NZ: NDArray[np.float32]) -> NDArray[np.uint8]:
    faces_NCHW = run(folder, "decoder", latents=latents_NZ.astype(np.float32))
    pixels = ((faces_NCHW + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    return pixels.transpose(0, 2, 3, 1)


def generate(folder: Path, noise_NZ: NDArray[np.float32], truncation: float) -> NDArray[np.uint8]:
    """Return the pictures of the page's own models."""
    scale = np.array(truncation, np.float32)
    return decode(folder, run(folder, "sampler", noise=noise_NZ, truncation=scale))


def assert_alike(
    found: NDArray[np.uint8], expected: NDArray[np.uint8], largest: int = 3, mean: float = 0.1
) -> None:
    errors = np.abs(found.astype(int) - expected)
    assert errors.max() <= largest
    assert errors.mean() < mean


def correlate(found: Image.Image, face: NDArray[np.uint8]) -> float:
    """Return the correlation of an enlarged picture with a face."""
    shrunk = np.array(found.convert("RGB").resize(face.shape[:2], Image.Resampling.BOX))
    return float(np.corrcoef(shrunk.ravel(), face.ravel())[0, 1])


def compute(trained: TrainedModel, latents_NZ: NDArray[np.float32]) -> NDArray[np.uint8]:
    with torch.inference_mode():
        faces = to_uint8(trained.model.decode(torch.from_numpy(latents_NZ)))
    result: NDArray[np.uint8] = faces.permute(0, 2, 3, 1).numpy()
    return result
