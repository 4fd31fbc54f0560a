"""The manifests against Kubernetes' own schemas, and against what the server and image offer.

KServe's schemas are not in a registry: of its objects the containers are checked, as those of a
pod. No cluster was there.
"""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[4]
CLUSTER = ROOT / "export" / "cluster"


def read(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((CLUSTER / name).read_text(encoding="utf-8")))


OBJECTS = {each["kind"]: each for name in ("kubernetes.yaml", "kserve.yaml") for each in read(name)}


@pytest.mark.parametrize("version", ["1.31", "1.37"])
@pytest.mark.parametrize("manifest", read("kubernetes.yaml"), ids=lambda each: each["kind"])
def test_kubernetes(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schemas_find_mistakes() -> None:
    broken = {**OBJECTS["Service"], "spec": {"ports": [{"prot": 80}]}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.37", strict=True)


def test_the_containers_of_kserve() -> None:
    containers = OBJECTS["ServingRuntime"]["spec"]["containers"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    pod["spec"] = {"containers": containers}
    kubernetes_validate.validate(pod, "1.37", strict=True)
    model = OBJECTS["InferenceService"]["spec"]["predictor"]["model"]
    assert model["runtime"] == OBJECTS["ServingRuntime"]["metadata"]["name"]


def test_names_belong_together() -> None:
    deployment = OBJECTS["Deployment"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert OBJECTS["Service"]["spec"]["selector"] == labels
    assert OBJECTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    target = OBJECTS["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"])


def test_paths_metrics_users_and_times_are_those_of_the_server() -> None:
    readme = (ROOT / "faceae" / "serving" / "README.md").read_text(encoding="utf-8")
    pod = OBJECTS["Deployment"]["spec"]["template"]["spec"]
    runtime = OBJECTS["ServingRuntime"]["spec"]["containers"]
    for container in (*pod["containers"], *runtime):
        probes = [value for key, value in container.items() if key.endswith("Probe")]
        assert all(f"`{probe['httpGet']['path']}`" in readme for probe in probes)
    (metric,) = OBJECTS["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert f"`{metric['pods']['metric']['name']}`" in readme
    dockerfile = (ROOT / "export" / "container" / "Dockerfile").read_text(encoding="utf-8")
    assert f"USER {pod['securityContext']['runAsUser']}" in dockerfile
    drain = re.search(r"for (\d+) s at most", readme)
    assert drain
    assert pod["terminationGracePeriodSeconds"] > int(drain[1]) + 5
