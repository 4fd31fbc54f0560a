"""The page of `faceae export web`, used in Chromium by keyboard and mouse, as a visitor would."""

import base64
import functools
import http.server
import io
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import onnxruntime
import pytest
import torch
import uvicorn
from numpy.typing import NDArray
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from torch import nn

from faceae.editing import Direction, Directions
from faceae.latent import LatentMoments, NormalSampler, latent_noise
from faceae.model import FaceAutoEncoder, ModelConfig, to_float, to_uint8, weights_hash
from faceae.runs import TrainedModel
from faceae.serving import ServeConfig, ServedModel, create_app, open_socket
from faceae_export import Kind, export_web, open_model
from faceae_export.web._runtime import VERSION, read_runtime

LATENT_SIZE = 64
NUM_FACES = 12
ATTRIBUTES = ("Smiling", "Wavy_Hair")
CPU = torch.device("cpu")
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
def trained() -> TrainedModel:
    """A small model whose faces differ, with two directions."""
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
    return TrainedModel(
        model=model,
        dataset_hash="",
        crop=None,
        sampler=sampler,
        directions=make_directions(weights_hash(model)),
    )


def make_directions(weights: str) -> Directions:
    fields = {"classifier": "ridge", "accuracy": 1, "auc": 1, "num_positive": 9, "num_negative": 9}
    size = (len(ATTRIBUTES), LATENT_SIZE)
    return Directions(
        found=tuple(Direction(name=name, **fields) for name in ATTRIBUTES),
        refused=(),
        vectors=np.random.default_rng(1).normal(0, 0.5, size).astype(np.float32),
        normals=np.ones(size, np.float32),
        offsets=np.zeros(len(ATTRIBUTES), np.float32),
        limits=np.ones(len(ATTRIBUTES), np.float32),
        weights_hash=weights,
        dataset_hash="",
    )


@pytest.fixture(scope="module")
def folder(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the model, with the runtime that npm fetched."""
    return export_web(trained, tmp_path_factory.mktemp("web") / "page", force=True).path


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two smooth pictures of the model's size, without loss."""
    folder = tmp_path_factory.mktemp("photographs")
    rows, columns = np.mgrid[0:32, 0:32] * 8
    for number, planes in enumerate([(rows, columns, 255 - rows), (columns, columns, rows)]):
        Image.fromarray(np.stack(planes, axis=2).astype(np.uint8)).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


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


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with serve_folder(folder) as address:
        yield address


@pytest.fixture(scope="module")
def served(trained: TrainedModel) -> Iterator[str]:
    """The address of `faceae serve` without a folder: the page computes on the server only."""
    with serve_model(trained, ServeConfig()) as address:
        yield address


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


@pytest.fixture
def page(chromium: webdriver.Chrome, address: str) -> Page:
    return Page(chromium, address)


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
    page.type("variety", Keys.HOME)
    faces = page.faces()
    assert (faces == faces[0]).all()
    assert page.find("status").text == ""


def test_variety(page: Page, folder: Path) -> None:
    page.type("variety", Keys.ARROW_LEFT * 6)
    assert page.driver.find_element(By.ID, "level").text == "0.70"
    noise_NZ = latent_noise(1, 0, NUM_FACES, LATENT_SIZE)
    assert_alike(page.faces(), generate(folder, noise_NZ, 0.7))
    page.type("variety", Keys.HOME)
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
    first_Z, last_Z = sample(folder, [4, 9])
    assert_alike(page.morph(), decode(folder, (0.7 * first_Z + 0.3 * last_Z)[None])[0])
    pressed = page.driver.find_elements(By.CSS_SELECTOR, "#grid [aria-pressed='true']")
    assert [button.text for button in pressed] == ["Face 4, from", "Face 9, to"]


def test_asks_nobody_else_and_logs_nothing(page: Page, address: str) -> None:
    page.set_seed("2")
    page.type("variety", Keys.END)
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
        const [seed, start, count, size, done] = arguments;
        import("./noise.js").then(({ latentNoise }) => {
          done(latentNoise(BigInt(seed), start, count, size).map((noise) => [...noise]));
        });
    """
    for seed, start in ((0, 0), (2**62 + 1, 60)):
        found = page.driver.execute_async_script(script, str(seed), start, 64, 1024)
        np.testing.assert_allclose(np.array(found), latent_noise(seed, start, 64, 1024), atol=1e-6)


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
def test_the_morph_is_above_the_fold(page: Page, width: int, height: int) -> None:
    screen = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 500}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    needed = page.driver.execute_script("return document.documentElement.scrollWidth")
    bottom = page.driver.execute_script(
        "return document.getElementById('play').getBoundingClientRect().bottom"
    )
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert needed <= width
    assert bottom <= height


def test_dragging_across_the_picture_morphs(page: Page) -> None:
    canvas = page.find("morph")
    mouse = ActionChains(page.driver)
    mouse.move_to_element_with_offset(canvas, 0, 0).click_and_hold()
    mouse.move_by_offset(canvas.size["width"], 5).perform()
    page.wait_for_share("100")
    assert_alike(page.morph(), page.faces()[1])
    mouse.move_by_offset(round(-1.6 * canvas.size["width"]), 0).release().perform()
    page.wait_for_share("0")
    assert_alike(page.morph(), page.faces()[0])


def test_edits_add_up_on_drawn_faces(page: Page, folder: Path, trained: TrainedModel) -> None:
    assert trained.directions is not None
    page.type("share", Keys.HOME)
    before = page.morph()
    page.set_edit("Smiling", 2)
    page.set_edit("Wavy_Hair", -1.5)
    change_Z = trained.directions.change({"Smiling": 2, "Wavy_Hair": -1.5})
    assert_alike(page.morph(), decode(folder, sample(folder, [0]) + change_Z)[0])
    page.click("reset")
    np.testing.assert_array_equal(page.morph(), before)


def test_two_photographs(
    page: Page, folder: Path, trained: TrainedModel, photographs: list[Path]
) -> None:
    for end, path in enumerate(photographs):
        page.upload(end, path)
        page.use()
    images = np.stack([np.array(Image.open(path)) for path in photographs])
    latents_NZ = run(folder, "encoder", images=images)
    # The canvas blurs a little, and the encoder rounds to fp16.
    assert_alike(page.ends(), decode(folder, latents_NZ), 8, 1)
    assert_alike(page.morph(), decode(folder, latents_NZ.mean(axis=0, keepdims=True))[0], 8, 1)
    assert trained.directions is not None
    page.set_edit("Smiling", 1)
    edited = latents_NZ.mean(axis=0) + trained.directions.change({"Smiling": 1})
    assert_alike(page.morph(), decode(folder, edited[None])[0], 8, 1)
    assert page.find("between").text == "From 0.png to 1.png"


def test_framing_by_mouse_and_keys(page: Page, photographs: list[Path]) -> None:
    page.upload(0, photographs[0])
    WebDriverWait(page.driver, 60).until(lambda _: page.find("use").is_displayed())
    whole = page.pictures("#view")[0]
    view = page.find("view")
    ActionChains(page.driver).drag_and_drop_by_offset(view, 60, 0).perform()
    moved = page.pictures("#view")[0]
    assert (moved[:, 0] == 128).all()  # beside the photograph
    assert np.abs(moved[:, 100].astype(int) - whole[:, 40]).max() <= 10
    view.send_keys("+")
    assert float(page.find("zoom").get_property("value")) > 0
    page.click("cancel")
    assert page.find("between").text == "From face 0 to face 1"


def test_a_file_that_is_no_picture(page: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("no picture")
    page.upload(0, tmp_path / "notes.jpg")
    WebDriverWait(page.driver, 60).until(lambda _: page.find("status").text)
    assert page.find("status").text.startswith("notes.jpg: this browser cannot read it")
    page.choose(5)
    assert page.find("between").text == "From face 5 to face 1"


def test_a_link_draws_the_same_picture(page: Page, address: str) -> None:
    page.set_seed("7")
    page.choose(3)
    page.click("later")
    page.choose(8)
    page.type("variety", Keys.ARROW_LEFT * 3)
    page.type("share", Keys.ARROW_LEFT * 11)
    page.set_edit("Smiling", 0.7)
    WebDriverWait(page.driver, 10).until(lambda driver: "Smiling=0.7" in driver.current_url)
    link, morph, faces = page.driver.current_url, page.morph(), page.faces()
    again = Page(page.driver, link)
    np.testing.assert_array_equal(again.morph(), morph)
    np.testing.assert_array_equal(again.faces(), faces)
    assert again.find("between").text == "From face 3 to face 20"
    other = Page(page.driver, f"{address}#seed=x&variety=9&edit.Beard=1")
    assert "cannot change Beard" in other.find("status").text


def test_play_moves_and_pauses(page: Page) -> None:
    page.find("play").click()
    WebDriverWait(page.driver, 60).until(
        lambda _: page.find("share").get_property("value") not in ("50", "51")
    )
    page.find("play").click()
    page.wait()
    assert page.find("play").text == "Play"


def test_saved_picture_and_gif(page: Page, tmp_path: Path) -> None:
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    page.type("share", Keys.HOME)
    page.click("save")
    page.click("film")
    first, last = page.faces()[:2]
    with wait_for(tmp_path / "face.png") as picture, wait_for(tmp_path / "morph.gif") as film:
        assert correlate(picture, first) > max(0.7, correlate(picture, last))
        assert (film.size, film.n_frames, film.info["loop"]) == ((256, 256), 46, 0)
        pixels = (np.array(each.convert("RGB")).astype(int) for each in (picture, film))
        assert np.abs(np.subtract(*pixels)).mean() < 16  # 256 colours
        film.seek(23)
        assert correlate(film, last) > max(0.6, correlate(film, first))


def wait_for(path: Path) -> Any:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} was not saved"
        time.sleep(0.1)
    return Image.open(path)


def test_opens_without_a_network(chromium: webdriver.Chrome, folder: Path) -> None:
    with serve_folder(folder) as address:
        page = Page(chromium, address)
        faces = page.faces()
        script = "navigator.serviceWorker.ready.then(arguments[0])"
        page.driver.execute_async_script(script)
    again = Page(chromium, address)
    np.testing.assert_array_equal(again.faces(), faces)
    assert again.find("status").text == ""


def test_on_the_server(
    chromium: webdriver.Chrome, served: str, trained: TrainedModel, photographs: list[Path]
) -> None:
    page = Page(chromium, served)
    assert trained.sampler is not None
    assert trained.directions is not None
    z_NZ = trained.sampler.latents(latent_noise(1, 0, NUM_FACES, LATENT_SIZE))
    assert_alike(page.faces(), compute(trained, z_NZ))
    page.set_edit("Smiling", 1)
    middle = z_NZ[:2].mean(axis=0) + trained.directions.change({"Smiling": 1})
    assert_alike(page.morph(), compute(trained, middle[None])[0])
    page.upload(0, photographs[0])  # of the model's size, so framed already
    WebDriverWait(page.driver, 60).until(lambda _: "0.png" in page.find("between").text)
    page.wait()
    image = np.array(Image.open(photographs[0]))[None]
    images_NCHW = to_float(torch.from_numpy(image).permute(0, 3, 1, 2))
    with torch.inference_mode():
        latents = trained.model.encode(images_NCHW).numpy()
    assert_alike(page.ends()[0], compute(trained, latents)[0])
    assert page.driver.get_log("browser") == []


def test_a_server_with_a_key(chromium: webdriver.Chrome, trained: TrainedModel) -> None:
    with serve_model(trained, ServeConfig(api_key="schlüssel")) as address:
        chromium.get(address)
        dialog = chromium.find_element(By.ID, "unlock")
        for key, words in (("wrong", "asks for a key"), ("schlüssel", "does not know")):
            WebDriverWait(chromium, 60).until(
                lambda _, words=words: dialog.is_displayed() and words in dialog.text
            )
            chromium.find_element(By.ID, "key").send_keys(key, Keys.ENTER)
        WebDriverWait(chromium, 60).until(
            lambda _: len(chromium.find_elements(By.CSS_SELECTOR, "#grid button")) == NUM_FACES
        )
        page = Page(chromium, address)  # opened once more: the tab has kept the key
        assert not page.find("unlock").is_displayed()
        assert len({face.tobytes() for face in page.faces()}) == NUM_FACES
        chromium.execute_script("sessionStorage.clear()")
        assert "schl" not in chromium.current_url


def test_choices_while_the_server_is_slow(
    chromium: webdriver.Chrome, served: str, trained: TrainedModel
) -> None:
    page = Page(chromium, served)
    page.driver.execute_async_script(
        """
        const pause = (ms) => new Promise((next) => setTimeout(next, ms));
        const ask = window.fetch;
        window.fetch = (...request) => pause(300).then(() => ask(...request));
        const click = async (button, ms) => {
          button.click();
          await pause(ms);
        };
        (async (done) => {
          const buttons = document.querySelectorAll("#grid button");
          for (const face of [5, 7, 9]) await click(buttons[face], 200);
          await pause(3000);
          await click(document.getElementById("later"), 100);
          document.getElementById("share").dispatchEvent(new Event("input"));
          done();
        })(arguments[0]);
        """
    )
    page.wait()
    assert page.find("status").text == ""
    assert trained.sampler is not None
    faces = compute(trained, trained.sampler.latents(latent_noise(1, 0, 24, LATENT_SIZE)))
    assert_alike(page.ends(), faces[[9, 7]])
    assert_alike(page.faces(), faces[NUM_FACES:])


def compute(trained: TrainedModel, latents_NZ: NDArray[np.float32]) -> NDArray[np.uint8]:
    with torch.inference_mode():
        faces = to_uint8(trained.model.decode(torch.from_numpy(latents_NZ)))
    result: NDArray[np.uint8] = faces.permute(0, 2, 3, 1).numpy()
    return result


def test_a_photograph_without_a_face_is_framed_by_hand(
    chromium: webdriver.Chrome, served: str, tmp_path: Path
) -> None:
    page = Page(chromium, served)
    Image.new("RGB", (300, 200), "gray").save(tmp_path / "wall.png")
    page.upload(1, tmp_path / "wall.png")
    WebDriverWait(page.driver, 60).until(lambda _: page.find("use").is_displayed())
    assert "found no face" in page.find("framing-help").text
    page.click("use")
    assert page.find("between").text == "From face 0 to wall.png"


def test_tells_what_is_missing(chromium: webdriver.Chrome, folder: Path, address: str) -> None:
    hidden = folder / "hidden.onnx"
    (folder / "decoder.onnx").rename(hidden)
    try:
        page = Page(chromium, address)
    finally:
        hidden.rename(folder / "decoder.onnx")
    status = page.driver.find_element(By.ID, "status").text
    assert status.startswith("The page had to stop: ./decoder.onnx: 404")


def test_tarball_of_npm_pack(tmp_path: Path, folder: Path) -> None:
    command = ["npm", "pack", f"onnxruntime-web@{VERSION}", "--prefer-offline"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    files = read_runtime(tmp_path / f"onnxruntime-web-{VERSION}.tgz")
    for name, content in files.items():
        assert (folder / f"onnxruntime-web-{VERSION}" / name).read_bytes() == content
