"""AWS: clients, places on S3, and errors in one line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from faceae.errors import FaceaeError

_CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
_REFUSED_KEYS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_DENIED = {"403", "AccessDenied", "AccessDeniedException"}
_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/\S+")
_MAX_NAME = 63
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")


class Place(NamedTuple):
    """An object or a prefix on S3."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def join(self, name: str) -> "Place":
        """Return the place of a file below this prefix."""
        return Place(self.bucket, f"{self.key.rstrip('/')}/{name}".lstrip("/"))


def parse_place(url: str) -> Place:
    """Return the place that an s3:// URL names.

    Raises:
        FaceaeError: it is no such URL.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise FaceaeError(f"{url}: must be a URL such as s3://bucket/faces")
    return Place(bucket, key)


def check_role(role: str) -> None:
    """Raise FaceaeError unless `role` looks like the ARN of a role."""
    if not _ROLE.fullmatch(role):
        raise FaceaeError(
            f"`role` must be an ARN such as arn:aws:iam::123456789012:role/faceae, got {role!r}"
        )


def check_name(name: str) -> None:
    """Raise FaceaeError unless SageMaker accepts a name."""
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        raise FaceaeError(
            f"`name` must be 1 to 63 letters, digits and hyphens within, got {name!r}"
        )


def open_client(service: str) -> Any:
    """Return boto3's client of a service, with the credentials, region and endpoint of boto3.

    Raises:
        FaceaeError: boto3 is not installed, or no region is set.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise FaceaeError(
            f"{error.name} is not installed; pip install 'faceae[sagemaker]'"
        ) from error
    settings = Config(connect_timeout=10, retries={"mode": "standard", "max_attempts": 4})
    with explained(service):
        return boto3.client(service, config=settings)


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Raise errors of AWS as FaceaeError: one line that begins with `what`."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise FaceaeError(f"{what}: {_explain_answer(error.response)}") from error
    except BotoCoreError as error:
        raise FaceaeError(f"{what}: {_explain_failure(error)}") from error
    except Boto3Error as error:
        raise FaceaeError(f"{what}: {error}") from error


def _explain_answer(response: Any) -> str:
    code, message = response["Error"].get("Code", ""), response["Error"].get("Message", "")
    said = f"{message} ({code})" if message else f"status {code}"
    if code == "NoSuchBucket":
        return "there is no such bucket; create it first"
    if code in _REFUSED_KEYS:
        return f"AWS refuses the credentials: {said}; {_CREDENTIALS}"
    if code in _DENIED:
        return f"access is denied: {said}; the credentials lack a permission"
    if code == "ResourceLimitExceeded":
        return f"{said}; choose another `instance_type`, or ask AWS for a higher quota"
    return said


def _explain_failure(error: Exception) -> str:
    from botocore import exceptions

    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return f"there are no AWS credentials; {_CREDENTIALS}"
    if isinstance(error, exceptions.NoRegionError):
        return "no AWS region is set; set AWS_DEFAULT_REGION, such as eu-central-1"
    return str(error)


def check_bucket(place: Place, region: str | None = None) -> None:
    """Raise FaceaeError unless a bucket exists and can be used.

    Args:
        region: where the bucket must lie. None: anywhere.
    """
    client = open_client("s3")
    with explained(str(place)):
        try:
            answer = client.head_bucket(Bucket=place.bucket)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                raise
            raise FaceaeError(f"{place}: there is no such bucket; create it first") from error
    found = answer.get("BucketRegion")
    if None not in (region, found) and region != found:
        raise FaceaeError(
            f"{place}: the bucket is in {found} and the job would run in {region}; set "
            f"AWS_DEFAULT_REGION={found}"
        )


def find_input(url: str, needs: str | None = None) -> str:
    """Return the URL of an input of a job, with a final slash if it is a prefix.

    SageMaker takes every object whose key begins with the URL, and `s3://b/a` also begins `ab`.

    Args:
        needs: file that must lie below a prefix.

    Raises:
        FaceaeError: there is nothing, or the bucket cannot be used.
    """
    place = parse_place(url)
    check_bucket(place, _job_region())
    client = open_client("s3")
    prefix = place.join(needs or "").key
    with explained(url):
        found = client.list_objects_v2(Bucket=place.bucket, Prefix=prefix, MaxKeys=1)
        if found.get("KeyCount"):
            return f"s3://{place.bucket}/{place.join('').key}"
        if needs is not None:
            raise FaceaeError(f"{url}: there is no {needs} below it")
        listed = client.list_objects_v2(Bucket=place.bucket, Prefix=place.key, MaxKeys=1)
    if [entry["Key"] for entry in listed.get("Contents", ())] != [place.key]:
        raise FaceaeError(f"{url}: there is no such object")
    return url


def check_output(url: str) -> str:
    """Return the URL of an output without a final slash.

    Raises:
        FaceaeError: it is no URL of S3, or the bucket cannot be used.
    """
    place = parse_place(url)
    check_bucket(place, _job_region())
    return url.rstrip("/")


def _job_region() -> str:
    """Return the region of jobs and endpoints; S3 works without one."""
    return str(open_client("sagemaker").meta.region_name)
