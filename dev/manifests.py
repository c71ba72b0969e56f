"""Reads deploy/kubernetes without a cluster, for `make check` and the tests."""

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import yaml

from dev.paths import ROOT

BASE, EXAMPLE = (ROOT / "deploy" / "kubernetes" / name for name in ("base", "example"))
# Of Kubernetes, the oldest that it is written for.
OLDEST = "1.32"
# Not of Kubernetes itself: nobody carries its schemas.
GATEWAY_API = "gateway.networking.k8s.io/"

type Manifest = dict[str, Any]


def of_base() -> list[Manifest]:
    """As the files have it, without an overlay."""
    names = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    return list(_taken_apart((BASE / name).read_text() for name in names))


def of_example() -> list[Manifest]:
    """The example's overlay as kubectl renders it; what stands in the files without kubectl."""
    kubectl = shutil.which("kubectl")
    if not kubectl:
        return of_base()
    command = [kubectl, "kustomize", str(EXAMPLE)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(done.stderr)
    return list(_taken_apart([done.stdout]))


def complaints(manifests: list[Manifest]) -> Iterator[str]:
    """What the schemas of the oldest and of the newest Kubernetes have against them."""
    for manifest in manifests:
        if manifest["apiVersion"].startswith(GATEWAY_API):
            continue
        for version in (OLDEST, kubernetes_validate.latest_version()):
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except (
                kubernetes_validate.ValidationError,
                kubernetes_validate.SchemaNotFoundError,
            ) as error:
                name = f"{manifest['kind']} {manifest['metadata']['name']}"
                yield f"{name}, Kubernetes {version}: {error.message}"


def _taken_apart(texts: Iterator[str] | list[str]) -> Iterator[Manifest]:
    for text in texts:
        for document in yaml.safe_load_all(text):
            yield from document["items"] if document["kind"] == "List" else [document]
