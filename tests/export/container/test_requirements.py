"""The CPU image installs what setup.cfg asks for, without CUDA and DALI."""

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
EXTRAS = ("align", "sagemaker", "serve")
GPU_ONLY = {"nvidia-dali-cuda120", "onnxruntime-gpu"}


def name_of(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found, requirement
    return found[0].lower().replace("_", "-")


def test_the_cpu_image_has_all_packages_but_those_for_gpus() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = settings["options.extras_require"]
    wanted = [settings["options"]["install_requires"], *(extras[name] for name in EXTRAS)]
    needed = {name_of(line) for text in wanted for line in text.strip().splitlines()}
    file = ROOT / "export" / "container" / "requirements-cpu.txt"
    lines = file.read_text(encoding="utf-8").splitlines()
    assert {name_of(line) for line in lines if line[0] not in "#-"} == needed - GPU_ONLY
    dockerfile = (ROOT / "export" / "container" / "Dockerfile").read_text(encoding="utf-8")
    assert f"'.[{','.join(EXTRAS)}]'" in dockerfile


def test_pins_are_those_of_the_tested_set() -> None:
    tested = (ROOT / "constraints.txt").read_text(encoding="utf-8").replace("-gpu==", "==")
    file = ROOT / "export" / "container" / "requirements-cpu.txt"
    pins = re.findall(r"^(\S+==[\d.]+)", file.read_text(encoding="utf-8"), re.M)
    assert len(pins) == 3
    assert all(f"\n{pin}\n" in tested for pin in pins)
