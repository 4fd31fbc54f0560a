"""moto's S3 and SageMaker, and a stand-in that runs a job's container without Docker."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

ROLE = "arn:aws:iam::123456789012:role/faceae"


@pytest.fixture(autouse=True)
def _aws(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEAE_SAGEMAKER_ROLE", ROLE)
    monkeypatch.setenv("FACEAE_SAGEMAKER_IMAGE", "123456789012.dkr.ecr/faceae:cpu")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def sagemaker(s3: str) -> Iterator[Any]:
    """boto3's client of moto's SageMaker."""
    client = boto3.client("sagemaker", endpoint_url=s3)
    yield client
    client.close()


class Cloud:
    """Does with a job's request what SageMaker does: inputs from S3, the command, outputs to S3."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self._s3 = boto3.client("s3")

    def run_processing(self, job: dict[str, Any]) -> None:
        for each in job["ProcessingInputs"]:
            self._fetch(each["S3Input"]["S3Uri"], self._place(each["S3Input"]["LocalPath"]))
        outputs = [each["S3Output"] for each in job["ProcessingOutputConfig"]["Outputs"]]
        for each in outputs:
            self._place(each["LocalPath"]).mkdir(parents=True)
        program = job["AppSpecification"]
        self._run(program["ContainerEntrypoint"], program.get("ContainerArguments", []))
        for each in outputs:
            self._store(self._place(each["LocalPath"]), each["S3Uri"])

    def _place(self, path: str) -> Path:
        return self.base / Path(path).relative_to("/opt/ml")

    def _run(self, entrypoint: list[str], arguments: list[str]) -> None:
        assert entrypoint[0] == "python"
        command = [sys.executable, *entrypoint[1:], *arguments]
        environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(self.base)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def _fetch(self, url: str, folder: Path) -> None:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        found = self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
        for entry in found:
            name = entry["Key"].removeprefix(prefix).lstrip("/") or Path(prefix).name
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            self._s3.download_file(bucket, entry["Key"], str(folder / name))

    def _store(self, folder: Path, url: str) -> None:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        for file in folder.rglob("*"):
            if file.is_file():
                key = f"{prefix}/{file.relative_to(folder).as_posix()}"
                self._s3.upload_file(str(file), bucket, key)

    def close(self) -> None:
        self._s3.close()


@pytest.fixture
def cloud(s3: str, tmp_path: Path) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path / "opt-ml")
    yield cloud
    cloud.close()


@pytest.fixture
def keys_of(s3: str) -> Iterator[Callable[[str], list[str]]]:
    """List the keys below a prefix, the oldest first."""
    client = boto3.client("s3")

    def list_keys(url: str) -> list[str]:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        found = client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return [entry["Key"] for entry in found]

    yield list_keys
    client.close()
