"""faceae sagemaker upload, process, train and evaluate against moto's S3 and SageMaker.

A stand-in runs the processing jobs as they were asked for. Stubber gives the answers that moto
lacks: jobs that fail.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

import faceae
import faceae_shards
from faceae.cli import run
from faceae.errors import FaceaeError
from faceae.sagemaker import wait_for_job

Capture = pytest.CaptureFixture[str]
Keys = Callable[[str], list[str]]
TRAINING = ("epochs=1", "batch-size=8", "latent_size=16", "width=8", "init=random", "amp=False")


def sets(*pairs: str) -> list[str]:
    return [each for pair in pairs for each in ("--set", pair)]


def test_photographs_become_a_dataset_on_s3(
    face_folder: Path, bucket: str, sagemaker: Any, cloud: Any, keys_of: Keys, capsys: Capture
) -> None:
    assert run(["sagemaker", "upload", str(face_folder), f"{bucket}/photos"]) == 0
    assert capsys.readouterr().out == f"{bucket}/photos\n"
    options = sets("size=32", "split=0.5,0.25,0.25", "workers=1")
    argv = ["process", f"{bucket}/photos", f"{bucket}/packed", "--name", "pack-1", *options]
    assert run(["sagemaker", *argv]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{bucket}/packed\n"
    assert "pack-1: Completed" in printed.err
    job = sagemaker.describe_processing_job(ProcessingJobName="pack-1")
    cloud.run_processing(job)
    assert "packed/dataset.json" in keys_of(f"{bucket}/packed")
    assert faceae.open_dataset(f"{bucket}/packed").num_samples("train") == 24


def test_training(
    dataset_npy: faceae_shards.Dataset,
    bucket: str,
    sagemaker: Any,
    keys_of: Keys,
    capsys: Capture,
) -> None:
    assert run(["sagemaker", "upload", str(dataset_npy.path), f"{bucket}/packed/"]) == 0
    uploaded = capsys.readouterr().err.splitlines()
    assert uploaded[-1] == f"uploaded {bucket}/packed/dataset.json"
    assert len(uploaded) == len(keys_of(f"{bucket}/packed"))
    argv = ["train", f"{bucket}/packed", f"{bucket}/models", "--name", "train-1", "--spot"]
    assert run(["sagemaker", *argv, *sets(*TRAINING)]) == 0
    assert capsys.readouterr().out == f"{bucket}/models/train-1/output/model.tar.gz\n"
    job = sagemaker.describe_training_job(TrainingJobName="train-1")
    (channel,) = job["InputDataConfig"]
    assert channel["ChannelName"] == "training"
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == f"{bucket}/packed/"
    assert job["HyperParameters"] == dict(pair.split("=") for pair in TRAINING)
    assert job["CheckpointConfig"] == {"S3Uri": f"{bucket}/models/checkpoints"}
    assert job["EnableManagedSpotTraining"]


def test_evaluation(
    dataset_npy: faceae_shards.Dataset,
    fitted_run: Path,
    bucket: str,
    sagemaker: Any,
    cloud: Any,
    capsys: Capture,
) -> None:
    assert run(["sagemaker", "upload", str(dataset_npy.path), f"{bucket}/packed"]) == 0
    capsys.readouterr()
    assert run(["sagemaker", "upload", str(fitted_run), f"{bucket}/models/a"]) == 0
    model = capsys.readouterr().out.strip()
    assert model == f"{bucket}/models/a/model.tar.gz"
    options = ["--name", "eval-1", *sets("pca=False", "device=cpu")]
    argv = ["evaluate", model, f"{bucket}/packed", f"{bucket}/figures", *options]
    assert run(["sagemaker", *argv]) == 0
    cloud.run_processing(sagemaker.describe_processing_job(ProcessingJobName="eval-1"))
    client = boto3.client("s3")
    name = bucket.removeprefix("s3://")
    content = client.get_object(Bucket=name, Key="figures/evaluation.json")["Body"].read()
    client.close()
    assert json.loads(content)["num_images"] == 12


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["upload", "FILE", "s3://no-such-bucket/a"], "no such bucket"),
        (["upload", "FILE", "https://a.example/a"], "s3://"),
        (["upload", "nowhere", "BUCKET/a"], "nowhere"),
        (["process", "BUCKET/nothing", "BUCKET/out"], "BUCKET/nothing"),
        (["process", "BUCKET/file", "s3://no-such-bucket/a"], "no such bucket"),
        (["process", "BUCKET/file", "BUCKET/out", "--set", "sise=64"], "sise"),
        (["process", "BUCKET/file", "BUCKET/out", "--role", "me"], "--role"),
        (["process", "BUCKET/file", "BUCKET/out", "--name", "a b"], "--name"),
        (["train", "BUCKET/file", "BUCKET/out"], "dataset.json"),
        (["train", "BUCKET/file", "BUCKET/out", "--set", "epochs=x"], "epochs"),
        (["evaluate", "BUCKET/no.tar.gz", "BUCKET/file", "BUCKET/out"], "no.tar.gz"),
    ],
)
def test_what_is_refused(
    bucket: str, tmp_path: Path, argv: list[str], message: str, capsys: Capture
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    assert run(["sagemaker", "upload", str(file), f"{bucket}/file"]) == 0
    argv = [each.replace("BUCKET", bucket).replace("FILE", str(file)) for each in argv]
    capsys.readouterr()
    assert run(["sagemaker", *argv]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message.replace("BUCKET", bucket) in line


def test_a_pair_without_a_value(capsys: Capture) -> None:
    assert run(["sagemaker", "process", "s3://a/b", "s3://a/c", "--set", "size"]) == 2
    assert "NAME=VALUE" in capsys.readouterr().err


def test_a_name_in_use(
    bucket: str,
    face_folder: Path,
    sagemaker: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    assert run(["sagemaker", "upload", str(next(face_folder.rglob("*.jpg"))), f"{bucket}/a/"]) == 0
    monkeypatch.setattr("faceae.sagemaker._jobs.open_client", lambda service: sagemaker)
    capsys.readouterr()
    with Stubber(sagemaker) as stub:
        in_use = "a job with this name already exists"
        stub.add_client_error("create_processing_job", "ResourceInUse", in_use)
        argv = ["sagemaker", "process", f"{bucket}/a", f"{bucket}/b", "--name", "twice"]
        assert run(argv) == 1
    assert "processing job twice: a job with this name already exists" in capsys.readouterr().err


def test_a_bucket_in_another_region(s3: str, capsys: Capture) -> None:
    client = boto3.client("s3", region_name="eu-west-1")
    client.create_bucket(
        Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    client.close()
    assert run(["sagemaker", "process", "s3://far-away/a", "s3://far-away/b"]) == 1
    assert "AWS_DEFAULT_REGION=eu-west-1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variable", "message"),
    [("AWS_ACCESS_KEY_ID", "AWS_PROFILE"), ("AWS_DEFAULT_REGION", "AWS_DEFAULT_REGION")],
)
def test_a_machine_that_is_not_set_up(
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    message: str,
    capsys: Capture,
) -> None:
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    for each in (variable, "AWS_SECRET_ACCESS_KEY" if "KEY" in variable else "AWS_REGION"):
        monkeypatch.delenv(each, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    assert run(["sagemaker", "process", f"{bucket}/a", f"{bucket}/b"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("kind", "answer", "message"),
    [
        ("training", {"FailureReason": "ClientError: no memory"}, "no memory"),
        ("processing", {"ExitMessage": "there is no photograph"}, "no photograph"),
    ],
)
def test_a_job_that_fails(
    sagemaker: Any,
    monkeypatch: pytest.MonkeyPatch,
    kind: Any,
    answer: dict[str, str],
    message: str,
) -> None:
    monkeypatch.setattr("faceae.sagemaker._jobs.open_client", lambda service: sagemaker)
    key = f"{kind.capitalize()}Job"
    seen: list[str] = []
    with Stubber(sagemaker) as stub:
        for status in ("InProgress", "Failed"):
            reply = {f"{key}Status": status, **_needed(kind), **answer}
            stub.add_response(f"describe_{kind}_job", reply, {f"{key}Name": "a"})
        with pytest.raises(FaceaeError, match=message):
            wait_for_job(kind, "a", seen.append, poll_s=0)
    assert seen == ["InProgress", "Failed"]


def _needed(kind: str) -> dict[str, Any]:
    """What botocore demands of every answer."""
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:{kind}-job/a"
    time = "2026-01-01T00:00:00Z"
    if kind == "processing":
        cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 1}
        return {
            "ProcessingJobName": "a",
            "ProcessingJobArn": arn,
            "ProcessingResources": {"ClusterConfig": cluster},
            "AppSpecification": {"ImageUri": "a"},
            "CreationTime": time,
        }
    return {
        "TrainingJobName": "a",
        "TrainingJobArn": arn,
        "ModelArtifacts": {"S3ModelArtifacts": "s3://a/b"},
        "SecondaryStatus": "Failed",
        "StoppingCondition": {},
        "CreationTime": time,
    }
