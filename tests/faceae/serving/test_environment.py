"""The app from variables: every option has one, and a wrong value names its variable."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from faceae.errors import FaceaeError
from faceae.serving import ServeConfig, create_app_from_environment
from faceae.serving._environment import read_config


def test_options() -> None:
    config = read_config(
        {
            "FACEAE_MAX_BATCH": "16",
            "FACEAE_TIMEOUT_S": "2.5",
            "FACEAE_API_KEY": "secret",
            "FACEAE_CORS_ORIGINS": "https://a.example, https://b.example",
            "FACEAE_CACHE": "/elsewhere",
        }
    )
    expected = ServeConfig(
        max_batch=16,
        timeout_s=2.5,
        api_key="secret",
        cors_origins=("https://a.example", "https://b.example"),
    )
    assert config == expected


def test_the_app(served_run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEAE_MODEL", served_run)
    monkeypatch.setenv("FACEAE_DEVICE", "cpu")
    monkeypatch.setenv("FACEAE_API_KEY", "secret")
    monkeypatch.setattr("faceae.serving._environment.set_up_logs", lambda: None)
    with TestClient(create_app_from_environment()) as client:
        assert client.get("/v2").status_code == 401
        assert client.get("/v2", headers={"X-API-Key": "secret"}).status_code == 200


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("FACEAE_MODEL", ""),
        ("FACEAE_MODEL", "nowhere"),
        ("FACEAE_DEVICE", "tpu"),
        ("FACEAE_THREADS", "all"),
        ("FACEAE_MAX_BATCH", "many"),
        ("FACEAE_PAGE", "nowhere"),
        ("FACEAE_COLLECT", ""),
    ],
)
def test_wrong_values(
    served_run: str, name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEAE_MODEL", str(Path(served_run)))
    monkeypatch.setenv(name, text)
    with pytest.raises(FaceaeError, match=f"{name}|nowhere"):
        create_app_from_environment()
