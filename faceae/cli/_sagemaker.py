"""faceae sagemaker."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ._command import Group, option, verb

if TYPE_CHECKING:
    from faceae.sagemaker import JobKind

F = TypeVar("F", bound=Callable[..., Any])


@click.group(cls=Group)
def command() -> None:
    """Pack, train, evaluate and deploy on Amazon SageMaker.

    Needs faceae[sagemaker] and an image made from export/container/Dockerfile in your registry.
    Credentials and region are boto3's: AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_DEFAULT_REGION.
    SOURCE, DATA, MODEL and OUT are URLs such as s3://bucket/faces.
    """


_set_option = option(
    "--set",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    callback=lambda ctx, parameter, values: _split(values),
    help="An option of what runs, such as batch_size=256. May be given several times.",
)
_wait_option = option(
    "--wait/--no-wait", default=True, help="Wait for the end. Ctrl-C ends only the waiting."
)
_machine_options = (
    option(
        "--image",
        metavar="URI",
        required=True,
        envvar="FACEAE_SAGEMAKER_IMAGE",
        help="The image. Default: the variable FACEAE_SAGEMAKER_IMAGE.",
    ),
    option(
        "--role",
        metavar="ARN",
        required=True,
        envvar="FACEAE_SAGEMAKER_ROLE",
        help="Role that the machine takes on. Default: the variable FACEAE_SAGEMAKER_ROLE.",
    ),
)


def _job_options(instance_type: str) -> Callable[[F], F]:
    """Return a decorator that adds the options of a job."""
    options = (
        *_machine_options,
        option("--instance-type", metavar="TYPE", default=instance_type, help="Kind of machine."),
        option("--name", metavar="NAME", show_default="faceae and the time", default="",
               help="Name of the job."),
        option("--volume-gb", type=click.IntRange(min=1), metavar="N", default=50,
               help="Size of the disk."),
        option("--max-hours", type=click.FloatRange(min=0, min_open=True), metavar="N",
               default=24.0, help="Time after which AWS stops the job."),
        _set_option,
        _wait_option,
    )  # fmt: skip

    def decorate(function: F) -> F:
        for each in reversed(options):
            function = each(function)
        return function

    return decorate


@verb("upload", short_help="upload photographs, a dataset or a model to S3")
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("url")
def _upload(path: Path, url: str) -> None:
    """Upload PATH to the prefix URL on S3, and print what to give to a job.

    A run becomes model.tar.gz there. A folder of photographs or a dataset is uploaded file by
    file, and any other file as it is.
    """
    from faceae.sagemaker import upload

    click.echo(upload(path, url, lambda each: click.echo(f"uploaded {each}", err=True)))


@verb("process", short_help="pack photographs on S3 into a dataset on S3")
@click.argument("source")
@click.argument("out")
@_job_options("ml.m5.xlarge")
def _process(source: str, out: str, wait: bool, **config: Any) -> None:
    """Pack the photographs at SOURCE into the dataset OUT, in a processing job.

    --set takes the options of faceae_shards.PackConfig, such as crop=178 and size=64.
    """
    from faceae.sagemaker import JobConfig, start_packing

    job = JobConfig(**config)
    start_packing(source, out, job)
    _follow("processing", job.name, wait)
    click.echo(out)


@verb("train", short_help="train on a dataset on S3")
@click.argument("data")
@click.argument("out")
@_job_options("ml.g5.xlarge")
@option("--spot", is_flag=True, help="Run on spare machines. AWS stops and restarts the job.")
def _train(data: str, out: str, wait: bool, spot: bool, **config: Any) -> None:
    """Train on the dataset DATA, fit the latents, and write the model below OUT.

    --set takes the options of faceae.runs.TrainConfig, such as epochs=20. The checkpoints lie below
    OUT/checkpoints; the same command continues an interrupted training there.
    """
    from faceae.sagemaker import JobConfig, start_training

    job = JobConfig(**config)
    start_training(data, out, job, spot=spot)
    found = _follow("training", job.name, wait)
    click.echo(found or f"{out.rstrip('/')}/{job.name}/output/model.tar.gz")


@verb("evaluate", short_help="measure a model on S3 on held-out faces")
@click.argument("model")
@click.argument("data")
@click.argument("out")
@_job_options("ml.m5.xlarge")
def _evaluate(model: str, data: str, out: str, wait: bool, **config: Any) -> None:
    """Measure MODEL, a model.tar.gz, on the dataset DATA, in a processing job.

    OUT/evaluation.json receives the figures. --set takes the options of
    faceae.evaluation.EvalConfig, such as split=test, and samples=N to measure N new faces.
    """
    from faceae.sagemaker import JobConfig, start_evaluation

    job = JobConfig(**config)
    start_evaluation(model, data, out, job)
    _follow("processing", job.name, wait)
    click.echo(f"{out.rstrip('/')}/evaluation.json")


@verb("deploy", short_help="create an endpoint from a model on S3")
@click.argument("model")
@click.argument("name")
@_machine_options[0]
@_machine_options[1]
@option("--instance-type", metavar="TYPE", default="ml.m5.large", help="Kind of machine.")
@option("--instances", type=click.IntRange(min=1), metavar="N", default=1, help="Machines.")
@_set_option
@_wait_option
def _deploy(model: str, name: str, wait: bool, **config: Any) -> None:
    """Create the endpoint NAME from MODEL, a model.tar.gz on S3.

    AWS charges for it until `faceae sagemaker delete NAME`. --set takes the limits of
    faceae.serving.ServeConfig, such as max_batch=16.
    """
    from faceae.sagemaker import EndpointConfig, deploy, wait_for_endpoint

    deploy(model, name, EndpointConfig(**config))
    if wait:
        wait_for_endpoint(name, lambda status: click.echo(f"{name}: {status}", err=True))
    click.echo(name)


@verb("invoke", short_help="ask an endpoint")
@click.argument("name")
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("inputs", metavar="[INPUT]...", nargs=-1, type=click.Path(path_type=Path))
@_set_option
def _invoke(name: str, out: Path, inputs: tuple[Path, ...], options: dict[str, str]) -> None:
    """Send photographs, one .npy or .json file, or nothing to the endpoint NAME.

    The reply is written to OUT: .npy, .json, .png, .jpg, .gif or .zip. --set takes the task and its
    parameters, such as task=morph and frames=32.
    """
    from faceae.sagemaker import invoke

    from ._outputs import check_out_file

    check_out_file(out)
    media_type = invoke(name, inputs, out, options)
    click.echo(f"{out}: {media_type}, {out.stat().st_size:,} bytes")


@verb("delete", short_help="delete an endpoint")
@click.argument("name")
def _delete(name: str) -> None:
    """Delete the endpoint NAME with its config and its model. Files on S3 stay."""
    from faceae.sagemaker import delete

    for each in delete(name):
        click.echo(f"deleted {each}")


for _each in (_upload, _process, _train, _evaluate, _deploy, _invoke, _delete):
    command.add_command(_each)


def _follow(kind: "JobKind", name: str, wait: bool) -> str:
    """Say that a job has started, and wait for its end if asked to."""
    from faceae.sagemaker import wait_for_job

    click.echo(f"{kind} job {name} has started", err=True)
    if not wait:
        return ""
    return wait_for_job(kind, name, lambda status: click.echo(f"{name}: {status}", err=True))


def _split(values: tuple[str, ...]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    for name, sign, _ in pairs:
        if not (name and sign):
            raise click.UsageError(f"--set takes NAME=VALUE, got {name!r}.")
    return {name: text for name, _, text in pairs}
