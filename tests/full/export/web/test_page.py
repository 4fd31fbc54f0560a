"""The page of `faceae export web`, used in Chromium by keyboard and mouse, as a visitor would."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
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
    correlate,
    decode,
    generate,
    sample,
    serve_folder,
)

from faceae.latent import latent_noise
from faceae.runs import TrainedModel
from faceae_export.web._runtime import VERSION, read_runtime


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
