"""Schemathesis, which reads /openapi.json, tries valid and invalid requests and checks replies."""

import subprocess
import sys
from pathlib import Path
from typing import Any

CONFIG = """
# Which parameters go together, and how many numbers a shape has, OpenAPI 3.1 cannot say.
[[operations]]
include-path-regex = "/(invocations|infer)$"
checks.positive_data_acceptance.enabled = false
"""
EXAMPLES = 10


def test_no_reply_contradicts_the_document(server: Any, tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    program = Path(sys.executable).with_name("schemathesis")
    command = [program, "--config-file", config, "run", f"{server.url}/openapi.json"]
    options = [
        "-n",
        EXAMPLES,
        "--seed",
        1,
        "--request-timeout",
        60,
        "--suppress-health-check",
        "too_slow",
    ]
    done = subprocess.run(
        [*map(str, [*command, *options]), "--no-color"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Missing test data" not in done.stdout
