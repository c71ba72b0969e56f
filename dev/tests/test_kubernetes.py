"""deploy/kubernetes runs every role, with no right that it doesn't need, in an environment that the
services take for production. Whether it is Kubernetes at all, `make check` asks its schemas."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev import manifests
from dev.manifests import EXAMPLE, Manifest
from dev.paths import ROOT
from innotter.accounts.keys import create_signing_keys
from innotter.config.environment import Environment
from innotter.config.roles import ROLES
from innotter_contracts.roles import STOP_BOUND
from innotter_stats.run import ROLES as STATISTICS_ROLES
from innotter_stats.settings import Settings

MANIFESTS = manifests.of_base()
COMPONENT = "app.kubernetes.io/component"
# What an operator puts into each secret (docs/deployment.md).
SECRETS = {
    "innotter-core": {
        "SECRET_KEY": "0123456789abcdef" * 4,
        "DATABASE_URL": "postgresql://innotter:secret@database:5432/innotter",
        "AMQP_URL": "amqp://innotter:secret@broker:5672/%2F",
    },
    "innotter-stats": {"AMQP_URL": "amqp://innotter:secret@broker:5672/%2F"},
}


def of_kind(kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in MANIFESTS if each["kind"] == kind}


DEPLOYMENTS, JOBS = of_kind("Deployment"), of_kind("Job")
PODS = {name: each["spec"]["template"]["spec"] for name, each in (DEPLOYMENTS | JOBS).items()}
CONTAINERS = [
    pytest.param(container, id=f"{name}-{container['name']}")
    for name, pod in PODS.items()
    for container in [*pod.get("initContainers", []), *pod["containers"]]
]
literals = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())["configMapGenerator"]
CONFIGURATION = dict(line.split("=", 1) for line in literals[0]["literals"])


def image(pod: dict[str, Any]) -> str:
    [container] = pod["containers"]
    return str(container["image"])


def components(policy: Manifest) -> set[str]:
    [expression] = policy["spec"]["podSelector"]["matchExpressions"]
    assert (expression["key"], expression["operator"]) == (COMPONENT, "In")
    return set(expression["values"])


def test_each_role_has_a_deployment_of_its_own() -> None:
    roles = [["run", role] for role in ROLES] + [[role] for role in STATISTICS_ROLES]
    started = [PODS[name]["containers"][0]["args"] for name in DEPLOYMENTS]
    assert sorted(started) == sorted(roles)


def test_images_are_those_of_compose_with_one_version_in_the_example() -> None:
    built = set(re.findall(r"image: (innotter-\S+)", (ROOT / "deploy/compose.yaml").read_text()))
    used = {image(pod) for pod in PODS.values()}
    assert used == built - {"innotter-ministack"}
    pulled = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())["images"]
    assert {each["name"] for each in pulled} == used
    assert len({each["newTag"] for each in pulled}) == 1


@pytest.mark.parametrize("name", PODS)
def test_a_pod_has_no_right_that_it_does_not_need(name: str) -> None:
    pod = PODS[name]
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == 10001
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not [key for key in pod if key.startswith("host")]
    # Nothing but memory can be written.
    for volume in pod["volumes"]:
        assert "secret" in volume or volume["emptyDir"]["medium"] == "Memory"
    account = of_kind("ServiceAccount")[pod["serviceAccountName"]]
    assert pod["serviceAccountName"] == name
    assert pod["automountServiceAccountToken"] is False
    assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_is_confined_and_bounded(container: dict[str, Any]) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    for bound in ("requests", "limits"):
        assert container["resources"][bound].keys() == {"cpu", "memory"}
    # A version is the overlay's.
    assert ":" not in container["image"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_process_is_probed_at_a_port_and_a_name_that_it_has(name: str) -> None:
    [container] = PODS[name]["containers"]
    ports = {port["name"] for port in container["ports"]}
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[kind]["httpGet"]
        assert asked["port"] in ports
        if asked["port"] == "http":
            [host] = asked["httpHeaders"]
            assert host["name"] == "Host"
            assert host["value"] in CONFIGURATION["ALLOWED_HOSTS"].split(",")
    # As long as any process takes to finish what it has begun.
    drained = container.get("lifecycle", {}).get("preStop", {"sleep": {"seconds": 0}})
    patience = PODS[name]["terminationGracePeriodSeconds"] - drained["sleep"]["seconds"]
    assert patience > STOP_BOUND


@pytest.mark.parametrize(
    "name", [name for name in DEPLOYMENTS if image(PODS[name]) != "innotter-stats"]
)
def test_a_process_of_the_core_waits_for_the_migrations(name: str) -> None:
    [waiting] = PODS[name]["initContainers"]
    assert waiting["args"] == ["migrate", "--check"]
    assert waiting["image"] == image(PODS[name]) == image(PODS["migrate"])


def test_each_deployment_knows_its_pods_and_how_many_there_are() -> None:
    scaled = {
        each["spec"]["scaleTargetRef"]["name"]
        for each in of_kind("HorizontalPodAutoscaler").values()
    }
    fixed = {name: each["spec"].get("replicas") for name, each in DEPLOYMENTS.items()}
    assert {name for name, number in fixed.items() if number is None} == scaled
    several = scaled | {name for name, number in fixed.items() if (number or 0) > 1}
    assert set(of_kind("PodDisruptionBudget")) == several
    for name, budget in of_kind("PodDisruptionBudget").items():
        assert budget["spec"]["selector"]["matchLabels"] == {COMPONENT: name}
    for name, deployment in DEPLOYMENTS.items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == labels == {COMPONENT: name}


def test_another_scheduler_waits_to_take_over() -> None:
    assert DEPLOYMENTS["scheduler"]["spec"]["replicas"] == 2


def test_only_what_is_named_may_talk() -> None:
    policies = of_kind("NetworkPolicy")
    everybody = {name: each for name, each in policies.items() if each["spec"]["podSelector"] == {}}
    assert everybody.keys() == {"nobody", "to-names", "from-prometheus"}
    assert policies["nobody"]["spec"].keys() == {"podSelector", "policyTypes"}
    for name in policies.keys() - everybody.keys():
        assert components(policies[name]) <= set(PODS)
    # A process of the core has its database, one that reads or fills a queue its broker.
    core = {name for name in PODS if image(PODS[name]) == "innotter-core"}
    assert components(policies["to-postgresql"]) == core
    assert components(policies["to-rabbitmq"]) == set(PODS) - {"migrate", "stats"}
    assert components(policies["from-the-gateway"]) == {"core", "stats"}


def test_the_gateway_routes_what_the_caddyfile_routes() -> None:
    caddyfile = (ROOT / "deploy" / "gateway" / "Caddyfile").read_text()
    [pattern] = re.findall(r"@statistics path_regexp (\S+)", caddyfile)
    [documents] = re.findall(r"@statistics_docs path (.+)", caddyfile)
    to_statistics, to_core = of_kind("HTTPRoute")["innotter"]["spec"]["rules"]
    paths = [(match["path"]["type"], match["path"]["value"]) for match in to_statistics["matches"]]
    assert paths == [
        ("RegularExpression", pattern),
        ("PathPrefix", "/docs"),
        ("Exact", "/openapi.json"),
    ]
    # A prefix is both.
    assert documents == "/docs /docs/* /openapi.json"
    assert "matches" not in to_core
    for rule in (to_statistics, to_core):
        [backend] = rule["backendRefs"]
        [port] = of_kind("Service")[backend["name"]]["spec"]["ports"]
        assert backend["port"] == port["port"]


def environment_of(pod: dict[str, Any]) -> dict[str, str]:
    """What its container reads, in the order in which Kubernetes lays one over the other."""
    found: dict[str, str] = {}
    [container] = pod["containers"]
    for source in container["envFrom"]:
        if "secretRef" in source:
            found |= SECRETS[source["secretRef"]["name"]]
        else:
            assert source["configMapRef"]["name"] == literals[0]["name"]
            found |= CONFIGURATION
    return found


def test_the_services_take_their_environment_for_production(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    create_signing_keys(keys := tmp_path / "signing_keys.json", prefix="")
    for name, pod in PODS.items():
        given = environment_of(pod)
        with monkeypatch.context() as patch:
            for variable in {*Environment.model_fields, *Settings.model_fields}:
                patch.delenv(variable.upper(), raising=False)
            for variable, value in given.items():
                patch.setenv(variable, value)
            match image(pod):
                case "innotter-core":
                    patch.setenv("SIGNING_KEYS_FILE", str(keys))
                    assert Environment().innotter_env == "production", name
                case "innotter-stats":
                    assert Settings().innotter_env == "production", name
                case _:
                    assert given.keys() == {"AMQP_URL"}


def test_what_is_configured_is_explained() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    # Uvicorn's own; compose.yaml has it too.
    assert [each for each in CONFIGURATION if f"`{each}`" not in page] == ["FORWARDED_ALLOW_IPS"]
    # A secret is no line of the repository.
    assert not CONFIGURATION.keys() & set().union(*SECRETS.values())
    deployment = (ROOT / "docs" / "deployment.md").read_text()
    for secret, keys in SECRETS.items():
        assert secret in deployment
        assert [key for key in keys if key not in deployment] == []


def test_the_keys_are_a_secret_that_the_core_alone_sees() -> None:
    holding = {
        name
        for name, pod in PODS.items()
        for volume in pod["volumes"]
        if volume.get("secret", {}).get("secretName") == "innotter-signing-keys"
    }
    assert holding == {name for name, pod in PODS.items() if image(pod) == "innotter-core"}


def test_a_manifest_that_kubernetes_would_refuse_is_named() -> None:
    deployment = yaml.safe_load(yaml.safe_dump(DEPLOYMENTS["core"]))
    deployment["spec"]["replica"] = 1
    found = list(manifests.complaints([deployment, of_kind("Gateway")["innotter"]]))
    assert found
    assert all("Deployment core" in line and "replica" in line for line in found)


def test_a_kustomization_that_cannot_be_rendered_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = subprocess.CompletedProcess([], 1, "", "no such file: base/api.yaml")
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/kubectl")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refused)
    with pytest.raises(ValueError, match=r"base/api\.yaml"):
        manifests.of_example()
