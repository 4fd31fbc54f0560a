"""The page given photographs, and served by `faceae serve`, in Chromium."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from visitor import (
    LATENT_SIZE,
    NUM_FACES,
    Page,
    assert_alike,
    compute,
    decode,
    run,
    serve_model,
)

from faceae.latent import latent_noise
from faceae.model import to_float
from faceae.runs import TrainedModel
from faceae.serving import ServeConfig


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
