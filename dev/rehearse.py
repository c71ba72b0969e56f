"""`make rehearse`: what `docker compose up` would do, on a Debian without an engine, as root.

The images are built with buildah, on a base that debootstrap makes in place of the one that
cannot be pulled here: the same Python, of Debian's own packages. Then every container of
deploy/compose.yaml that is ours is started from them in the order that it says: with its own
environment, user, entrypoint and volumes, and a root that cannot be written to, until its health
check is content. All share one network of their own, in which the names of the services are
this machine. PostgreSQL and RabbitMQ are the embedded ones, and so is the gateway's Caddy.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import httpx

from dev import settings, tools
from dev.aws import answers
from dev.backing import BackingServices
from dev.demo import PASSWORD
from dev.errors import Failed
from dev.install import poetry_environment
from dev.paths import DATA, ROOT
from dev.ports import Port
from dev.processes import Process, Processes
from dev.steps import step

FOLDER = DATA / "rehearsal"
# What `python:3.15-slim` means where it is looked for on this machine first.
BASE = "localhost/python:3.15-slim"
# The release of Debian that has this Python.
SUITE, PYTHON = "forky", "python3.15"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
# Of the user that our images name.
USER = 10001
# Images that cannot be pulled here.
BACKING = ("postgres", "rabbitmq")
GATEWAY = "gateway"
# Images whose processes have metrics, at METRICS_PORT.
MEASURED = ("innotter-core", "innotter-stats")
# Not the one of the core, which is on the same machine here.
GATEWAY_PORT = 8888
# Seconds from SIGTERM to the end.
STOP_BOUND = 30

type Service = dict[str, Any]


def main(words: list[str]) -> int:
    try:
        if words == ["inside"]:
            _start_all()
            return 0
        _build_all()
        # A network and mounts that end with it.
        inside = [sys.executable, "-m", "dev.rehearse", "inside"]
        return subprocess.run(["unshare", "--net", "--mount", *inside], check=False).returncode
    except Failed as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


# --- building


def _build_all() -> None:
    missing = [name for name in ("buildah", "debootstrap", "unshare") if not shutil.which(name)]
    if missing or os.getuid() != 0:
        raise Failed(f"A rehearsal needs root and {', '.join(missing) or 'nothing else'}.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    if BASE not in _buildah("images", "--format", "{{.Name}}:{{.Tag}}"):
        with step("Base"):
            _build_base(FOLDER / "base")
    index = poetry_environment(tools.poetry())["POETRY_PYPI_MIRROR_URL"]
    builds = {
        service["image"]: service["build"] for service in _services().values() if "build" in service
    }
    for image, build in builds.items():
        with step(image):
            _buildah(
                *("build", "--pull-never", "--format", "docker", "--tag", image),
                *("--build-arg", f"POETRY_PYPI_MIRROR_URL={index}"),
                *(["--target", build["target"]] if "target" in build else []),
                *("--file", str(ROOT / build["dockerfile"]), str(ROOT)),
            )
    print(_buildah("images", "--format", "  {{.Name}}:{{.Tag}}  {{.Size}}"))


def _build_base(root: Path) -> None:
    """As slim as the one whose name it takes, and its `python` in the same place."""
    shutil.rmtree(root, ignore_errors=True)
    packages = f"{PYTHON},{PYTHON}-venv,ca-certificates"
    # An older debootstrap does not know a newer release by name; they all are made like `sid`.
    script = "/usr/share/debootstrap/scripts/sid"
    # Where this machine has its own packages from.
    known = tools.run(["apt-get", "indextargets", "--format", "$(REPO_URI)"]).split()
    mirror = next(each for each in known if "security" not in each)
    tools.run(
        [
            *("debootstrap", "--variant=minbase", f"--include={packages}"),
            *(SUITE, str(root), mirror, script),
        ]
    )
    for folder in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale"):
        shutil.rmtree(root / folder)
    for name in ("python", "python3"):
        (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{PYTHON}")
    # An index may be reached through something that only this machine trusts.
    shutil.copy(f"/{CERTIFICATES}", root / CERTIFICATES)
    container = _buildah("from", "scratch").strip()
    _buildah("copy", container, str(root), "/")
    trusted = [f"--env={name}=/{CERTIFICATES}" for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE")]
    _buildah("config", "--env", f"PATH={PATH}", *trusted, container)
    _buildah("commit", "--rm", container, BASE)
    shutil.rmtree(root)


def _buildah(*words: str) -> str:
    """In a store of the rehearsal's own."""
    store = ["--root", str(FOLDER / "images"), "--runroot", str(FOLDER / "run")]
    env = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
    return tools.run(["buildah", *store, "--storage-driver", "vfs", *words], env=env)


# --- what compose.yaml says


def _services() -> dict[str, Service]:
    """As docker compose itself reads them, with the .env of somebody who tries Innotter out."""
    folder = FOLDER / "compose"
    if not folder.exists():
        folder.mkdir()
        shutil.copytree(ROOT / "deploy", folder / "deploy")
        tools.run(["sh", str(folder / "deploy" / "make-env.sh")])
    shutil.copy(ROOT / "compose.yaml", folder)
    shutil.copytree(ROOT / "deploy", folder / "deploy", dirs_exist_ok=True)
    compose = Path(sys.executable).with_name("docker-compose")
    # Nothing of this machine's own environment, which would win over the .env.
    env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    env |= dict.fromkeys(("POSTGRES_PASSWORD", "RABBITMQ_PASSWORD"), _password())
    env["PUBLIC_URL"] = f"http://localhost:{GATEWAY_PORT}"
    command = [str(compose), "-f", str(folder / "compose.yaml"), "config", "--format", "json"]
    services: dict[str, Service] = json.loads(tools.run(command, env=env))["services"]
    # On one machine a port can be taken only once.
    for number, service in enumerate(services.values()):
        if service["image"] in MEASURED:
            # That of its first role.
            service["environment"]["METRICS_PORT"] = str(9000 + 10 * number)
    return services


def _password() -> str:
    return settings.remembered(FOLDER / "password")


# --- starting


def _start_all() -> None:
    services = _services()
    tools.run(["ip", "link", "set", "lo", "up"])
    hosts = FOLDER / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {' '.join(services)}\n")
    tools.run(["mount", "--bind", str(hosts), "/etc/hosts"])
    shutil.rmtree(FOLDER / "state", ignore_errors=True)
    _buildah("rm", "--all")
    processes = Processes(FOLDER / "logs")
    order = {name: service.get("depends_on", {}) for name, service in services.items()}
    (FOLDER / "state").mkdir()
    try:
        _start_parts(processes)
        for name in TopologicalSorter(order).static_order():
            if name not in (*BACKING, GATEWAY):
                with step(name):
                    _Container(name, services[name]).start(processes)
        with step(GATEWAY):
            _start_gateway(processes, services[GATEWAY])
        _walk(services[GATEWAY]["environment"]["PUBLIC_URL"])
        with step("the end"):
            _stop_all([processes.by_name[name] for name in services if name in processes.by_name])
    finally:
        processes.stop()


def _start_parts(processes: Processes) -> None:
    ports = {"postgres": Port(5432), "amqp": Port(5672)}
    ports |= {name: Port() for name in ("erlang", "epmd", "aws")}
    given = {"AWS_ENDPOINT_URL": "none"}
    backing = BackingServices(
        processes, FOLDER / "state", given=given, ports=ports, password=_password()
    )
    with step("postgres"):
        backing.start_postgres()
    with step("rabbitmq"):
        backing.start_rabbitmq()


class _Container:
    """A service of compose.yaml in a folder that holds its image."""

    def __init__(self, name: str, service: Service) -> None:
        self._name = name
        self._service = service
        image = f"localhost/{service['image']}:latest"
        self._image = json.loads(_buildah("inspect", "--type", "image", image))["Docker"]["config"]
        self._root = _mounted(image, FOLDER / "roots" / name)
        for volume in service.get("volumes", []):
            self._mount_volume(volume)

    def start(self, processes: Processes) -> None:
        """Returns when it is healthy, or has ended well if that is what it is for."""
        words = [
            *(self._service.get("entrypoint") or self._image.get("Entrypoint") or []),
            *(self._service.get("command") or self._image.get("Cmd") or []),
        ]
        # Compose writes a lone $ as two, so that its own output can be read again.
        command = self._command([word.replace("$$", "$") for word in words])
        if self._service["restart"].startswith("on-failure"):
            processes.run(self._name, command, env={"PATH": PATH}, seconds=300)
            return
        process = processes.start(self._name, command, env={"PATH": PATH})
        process.wait_until(self._is_healthy, seconds=90)

    def _is_healthy(self) -> bool:
        check = self._service.get("healthcheck", {})
        if check.get("disable"):
            return True
        _, *test = check.get("test") or self._image["Healthcheck"]["Test"]
        port = self._service["environment"].get("METRICS_PORT", "9000")
        test = [word.replace(":9000", f":{port}") for word in test]
        return subprocess.run(self._command(test), check=False, capture_output=True).returncode == 0

    def _command(self, words: list[str]) -> list[str]:
        """In the container: its root, its user, its environment and nothing besides."""
        env = [*self._image["Env"]]
        env += [f"{name}={value}" for name, value in self._service["environment"].items()]
        folder = self._image["WorkingDir"] or "/"
        inside = ["setpriv", "--no-new-privs", "env", "-i", f"--chdir={folder}", *env, *words]
        user = self._image["User"]
        return ["chroot", f"--userspec={user}:{user}", "--groups=", str(self._root), *inside]

    def _mount_volume(self, volume: dict[str, Any]) -> None:
        source = FOLDER / "state" / "volumes" / volume["source"]
        if not source.exists():
            # As an engine does it, a new volume belongs to whom the folder in the image does.
            source.mkdir(parents=True)
            os.chown(source, USER, USER)
        target = f"{self._root}{volume['target']}"
        tools.run(["mount", "--bind", str(source), target])
        if volume.get("read_only"):
            tools.run(["mount", "-o", "remount,bind,ro", target])


def _mounted(image: str, root: Path) -> Path:
    """The files of an image, which nobody can write to, with the few places where one can."""
    root.mkdir(parents=True, exist_ok=True)
    tools.run(["mount", "--bind", _files_of(image), str(root)])
    (root / "etc" / "hosts").touch()
    tools.run(["mount", "-o", "remount,bind,ro", str(root)])
    tools.run(["mount", "-t", "tmpfs", "-o", "mode=1777,size=64m", "tmpfs", f"{root}/tmp"])  # noqa: S108
    tools.run(["mount", "-t", "proc", "proc", f"{root}/proc"])
    tools.run(["mount", "--rbind", "/dev", f"{root}/dev"])
    tools.run(["mount", "--bind", "/etc/hosts", f"{root}/etc/hosts"])
    return root


@cache
def _files_of(image: str) -> str:
    return _buildah("mount", _buildah("from", "--pull-never", image).strip()).strip()


def _start_gateway(processes: Processes, service: Service) -> None:
    file = ROOT / "deploy" / "gateway" / "Caddyfile"
    env = {"HOME": str(FOLDER / "state"), **service["environment"]}
    process = processes.start(GATEWAY, [tools.caddy(), "run", "--config", file], env=env)
    url = f"{service['environment']['PUBLIC_URL']}/health/ready"
    process.wait_until(lambda: answers(url), seconds=30)


# --- looking


def _walk(url: str) -> None:
    """The demo data, seen through the gateway as a browser sees it."""
    login = json.dumps({"login": "ann", "password": PASSWORD}).encode()
    _, answer = _ask(f"{url}/api/v1/auth/login", login)
    token = json.loads(answer)["access"]
    _, answer = _ask(f"{url}/api/v1/users/me/pages", token=token)
    page = json.loads(answer)["results"][0]["uuid"]
    asked: list[tuple[str, bytes | None, int]] = [
        ("/", None, 200),
        (f"/@{page}", None, 200),
        (f"/@{page}.atom", None, 200),
        ("/search?q=harbour", None, 200),
        ("/manifest.webmanifest", None, 200),
        ("/static/web/site.css", None, 200),
        ("/api/v1/docs", None, 200),
        ("/api/v1/feed", None, 200),
        (f"/api/v1/pages/{page}/statistics", None, 200),
        ("/docs", None, 200),
        ("/openapi.json", None, 200),
        ("/.well-known/jwks.json", None, 200),
        ("/admin/", None, 200),
        ("/static/admin/css/base.css", None, 200),
        ("/metrics", None, 404),
        (f"/api/v1/pages/{page}/posts", b" " * 7_000_000, 413),
    ]
    for path, body, expected in asked:
        status, _ = _ask(url + path, body, token=token)
        print(f"  {path:<44} {status}")
        if status != expected:
            raise Failed(f"{path} should have answered {expected}.")


def _ask(url: str, body: bytes | None = None, *, token: str | None = None) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    # Reads an answer that comes while it is still sending.
    method = "GET" if body is None else "POST"
    answer = httpx.request(
        method, url, content=body, headers=headers, timeout=10, follow_redirects=True
    )
    return answer.status_code, answer.content


def _stop_all(processes: list[Process]) -> None:
    """SIGTERM is enough for each of them: nobody has to be killed, and nobody fails."""
    for process in processes:
        os.kill(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_BOUND
    while any(process.exit_code is None for process in processes):
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    for process in processes:
        if process.exit_code not in (0, -signal.SIGTERM):
            raise process.failure(f"ended with {process.exit_code} after SIGTERM")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
