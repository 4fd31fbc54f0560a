"""A real Prometheus loads the alerts, scrapes the server and answers the dashboard's queries."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

WAIT_S = 60


@pytest.fixture(scope="module")
def monitoring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that come with the server."""
    folder = tmp_path_factory.mktemp("prometheus") / "monitoring"
    with as_file(files("faceae.serving").joinpath("monitoring")) as source:
        shutil.copytree(source, folder)
    return folder


def run_promtool(*arguments: object) -> str:
    done = subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_accepts_the_files(monitoring: Path) -> None:
    assert "SUCCESS" in run_promtool("check", "rules", monitoring / "alerts.yml")
    assert "SUCCESS" in run_promtool("check", "config", monitoring / "prometheus.yml")


def test_each_alert_fires_when_it_must(monitoring: Path, tmp_path: Path) -> None:
    slow = 'faceae_stage_seconds_bucket{stage="queue",instance="a",le="%s"}'
    series = {
        "FaceaeDown": {'up{job="faceae"}': "0x60"},
        "FaceaeNotReady": {"faceae_ready": "0x60"},
        "FaceaeErrors": {"faceae_errors_total": "0+1x60"},
        "FaceaeBusy": {'faceae_rejected_total{reason="busy"}': "0+60x60"},
        "FaceaeSlow": {slow % "5": "0+1x60", slow % "10": "0+60x60", slow % "+Inf": "0+60x60"},
        "FaceaeDrift": {"faceae_drift_far": "0.5x60"},
    }
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": key, "values": value} for key, value in inputs.items()],
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}})',
                    "eval_time": "50m",
                    "exp_samples": [{"labels": "{}", "value": 1}],
                }
            ],
        }
        for name, inputs in series.items()
    ]
    rules = (monitoring / "alerts.yml").read_text()
    assert set(re.findall(r"alert: (\w+)", rules)) == set(series)
    test_file = tmp_path / "test.yml"
    test_file.write_text(
        json.dumps({"rule_files": [str(monitoring / "alerts.yml")], "tests": tests})
    )
    assert "SUCCESS" in run_promtool("test", "rules", test_file)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.5)


@pytest.fixture(scope="module")
def prometheus(server: Any, monitoring: Path) -> Iterator[Callable[..., Any]]:
    """Asks the API of a Prometheus that scrapes the server every half second."""
    config = monitoring / "prometheus.yml"
    text = config.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
    config.write_text(text.replace("scrape_interval: 15s", "scrape_interval: 500ms"))
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={monitoring / 'data'}",
        f"--web.listen-address={address}",
    ]

    def ask(path: str, **parameters: str) -> Any:
        url = f"http://{address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=20) as reply:
            return json.load(reply)["data"]

    def is_up() -> bool:
        try:
            targets = ask("targets")["activeTargets"]
        except OSError:
            return False
        return [target["health"] for target in targets] == ["up"]

    with (monitoring / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until(is_up)
        yield ask
    finally:
        process.terminate()
        process.wait(20)


def test_the_server_is_scraped(server: Any, prometheus: Callable[..., Any]) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3)).tolist()
    body = {"task": "reconstruct", "images": faces}
    assert server.ask("/invocations", body)[0].status == 200
    assert server.ask("/invocations", {"count": 0})[0].status == 422
    assert server.generate() == 200

    def values(query: str) -> list[float]:
        return [float(each["value"][1]) for each in prometheus("query", query=query)["result"]]

    wait_until(lambda: values('faceae_requests_total{task="reconstruct",status="200"}') == [1])
    assert values("faceae_ready") == [1]
    assert values("faceae_latent_distance_count") == [40]
    assert values("faceae_drift_spread > 0") != []  # not NaN
    (group,) = prometheus("rules")["groups"]
    assert {rule["health"] for rule in group["rules"]} <= {"ok", "unknown"}
    assert len(group["rules"]) == 6


def test_the_dashboard_shows_something_everywhere(
    server: Any, prometheus: Callable[..., Any], monitoring: Path
) -> None:
    assert server.generate() == 200
    dashboard = json.loads((monitoring / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "1m")
            if "rejected" not in query:  # a rate needs two scrapes
                wait_until(lambda query=query: prometheus("query", query=query)["result"] != [])
