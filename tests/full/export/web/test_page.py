"""The page of `faceae export web`, used in Chromium by its keyboard, as a visitor would."""

import base64
import functools
import http.server
import io
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from torch import nn

from faceae.latent import LatentMoments, NormalSampler, latent_noise
from faceae.model import FaceAutoEncoder, ModelConfig
from faceae.runs import TrainedModel
from faceae_export import export_web
from faceae_export.web._runtime import VERSION, read_runtime

LATENT_SIZE = 64
NUM_FACES = 12
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--window-size=1000,1100",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small model whose faces differ, with the runtime that npm fetched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = ModelConfig(image_size=32, latent_size=LATENT_SIZE, width=16)
        model = FaceAutoEncoder(config).eval()
        for layer in model.decoder.modules():
            if isinstance(layer, nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, std=0.05)
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.uniform_(layer.running_var, 0.01, 0.1)
    moments = LatentMoments(LATENT_SIZE)
    moments.update(np.random.default_rng(0).normal(0.5, 1, (500, LATENT_SIZE)))
    sampler = NormalSampler(moments.normal_prior(weights_hash="", dataset_hash=""))
    trained = TrainedModel(model=model, dataset_hash="", crop=None, sampler=sampler)
    return export_web(trained, tmp_path_factory.mktemp("web") / "page", force=True).path


class Handler(http.server.SimpleHTTPRequestHandler):
    """What `python -m http.server` runs, without its log."""

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def chromium() -> Iterator[webdriver.Chrome]:
    driver_path, browser_path = shutil.which("chromedriver"), shutil.which("chromium")
    assert driver_path, "install chromedriver (Debian: chromium-driver)"
    assert browser_path, "install chromium"
    options = webdriver.ChromeOptions()
    options.binary_location = browser_path
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(driver_path))
    yield driver
    driver.quit()


class Page:
    """The page, freshly opened."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver = driver
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


@pytest.fixture
def page(chromium: webdriver.Chrome, address: str) -> Page:
    return Page(chromium, address)


def generate(folder: Path, noise_NZ: NDArray[np.float32], truncation: float) -> NDArray[np.uint8]:
    """Return the pictures of the page's own generator, in ONNX Runtime for Python."""
    session = onnxruntime.InferenceSession(
        folder / "generator.onnx", providers=["CPUExecutionProvider"]
    )
    inputs = {"noise": noise_NZ, "truncation": np.array(truncation, np.float32)}
    return session.run(["faces"], inputs)[0]


def assert_alike(found: NDArray[np.uint8], expected: NDArray[np.uint8]) -> None:
    errors = np.abs(found.astype(int) - expected)
    assert errors.max() <= 3
    assert errors.mean() < 0.1


def test_draws_the_faces_of_the_seed(page: Page, folder: Path) -> None:
    first = page.faces()
    assert_alike(first, generate(folder, latent_noise(1, 0, NUM_FACES, LATENT_SIZE), 1.0))
    assert len({face.tobytes() for face in first}) == NUM_FACES
    page.set_seed("123456789012345678")
    noise_NZ = latent_noise(123456789012345678, 0, NUM_FACES, LATENT_SIZE)
    assert_alike(page.faces(), generate(folder, noise_NZ, 1.0))
    page.set_seed("1")
    np.testing.assert_array_equal(page.faces(), first)


def test_another_seed_is_shown_and_can_be_drawn_again(page: Page) -> None:
    first = page.faces()
    page.type("another", Keys.ENTER)
    seed = page.driver.find_element(By.ID, "seed").get_property("value")
    others = page.faces()
    assert seed != "1"
    assert (others != first).any(axis=(1, 2, 3)).all()
    page.set_seed("1")
    page.set_seed(seed)
    np.testing.assert_array_equal(page.faces(), others)


def test_a_seed_that_is_no_number_changes_nothing(page: Page) -> None:
    first = page.faces()
    page.set_seed("-3")
    np.testing.assert_array_equal(page.faces(), first)
    assert page.driver.find_elements(By.CSS_SELECTOR, "#seed:invalid")


def test_truncation(page: Page, folder: Path) -> None:
    page.type("truncation", Keys.ARROW_LEFT * 6)
    assert page.driver.find_element(By.ID, "level").text == "0.70"
    noise_NZ = latent_noise(1, 0, NUM_FACES, LATENT_SIZE)
    assert_alike(page.faces(), generate(folder, noise_NZ, 0.7))
    page.type("truncation", Keys.HOME)
    faces = page.faces()
    assert (faces == faces[0]).all()
    np.testing.assert_array_equal(page.morph(), faces[0])


def test_morph_goes_from_one_chosen_face_to_the_other(page: Page, folder: Path) -> None:
    faces = page.faces()
    page.choose(4)
    page.choose(9)
    assert page.driver.find_element(By.ID, "between").text == "From face 4 to face 9"
    page.type("share", Keys.HOME)
    assert_alike(page.morph(), faces[4])
    page.type("share", Keys.END)
    assert_alike(page.morph(), faces[9])
    page.type("share", Keys.HOME, Keys.ARROW_RIGHT * 30)
    noise_NZ = latent_noise(1, 0, NUM_FACES, LATENT_SIZE)
    third = 0.7 * noise_NZ[4:5] + 0.3 * noise_NZ[9:10]
    assert_alike(page.morph(), generate(folder, third, 1.0)[0])
    pressed = page.driver.find_elements(By.CSS_SELECTOR, "[aria-pressed='true']")
    assert [button.text for button in pressed] == ["Face 4, from", "Face 9, to"]


def test_asks_nobody_else_and_logs_nothing(page: Page, address: str) -> None:
    page.set_seed("2")
    page.type("truncation", Keys.END)
    messages = [json.loads(entry["message"]) for entry in page.driver.get_log("performance")]
    urls = {
        message["message"]["params"]["request"]["url"]
        for message in messages
        if message["message"]["method"] == "Network.requestWillBeSent"
    }
    assert f"{address}onnxruntime-web-{VERSION}/ort.wasm" in urls
    assert {url for url in urls if not url.startswith((address, "data:"))} == set()
    assert page.driver.get_log("browser") == []


def test_noise_is_that_of_the_command_line(page: Page) -> None:
    script = """
        const [seed, count, size, done] = arguments;
        import("./noise.js").then(({ latentNoise }) => {
          done(latentNoise(BigInt(seed), count, size).map((noise) => [...noise]));
        });
    """
    for seed in (0, 2**62 + 1):
        found = page.driver.execute_async_script(script, str(seed), 64, 1024)
        np.testing.assert_allclose(np.array(found), latent_noise(seed, 0, 64, 1024), atol=1e-6)


def test_fits_a_phone(page: Page) -> None:
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 3, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    width = page.driver.execute_script("return document.documentElement.scrollWidth")
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width == 360


def test_tells_what_is_missing(chromium: webdriver.Chrome, folder: Path, address: str) -> None:
    hidden = folder / "hidden.onnx"
    (folder / "generator.onnx").rename(hidden)
    try:
        page = Page(chromium, address)
    finally:
        hidden.rename(folder / "generator.onnx")
    status = page.driver.find_element(By.ID, "status").text
    assert status.startswith("The page had to stop: ./generator.onnx: 404")


def test_tarball_of_npm_pack(tmp_path: Path, folder: Path) -> None:
    command = ["npm", "pack", f"onnxruntime-web@{VERSION}", "--prefer-offline"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    files = read_runtime(tmp_path / f"onnxruntime-web-{VERSION}.tgz")
    for name, content in files.items():
        assert (folder / f"onnxruntime-web-{VERSION}" / name).read_bytes() == content
