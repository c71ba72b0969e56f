"""A private RabbitMQ node on 127.0.0.1: the machine's own program, or the unpacked packages."""

import base64
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import kombu

from dev import tools
from dev.errors import Failed
from dev.ports import HOST, Port
from dev.processes import Processes

USER = "innotter"


def start_rabbitmq(
    processes: Processes,
    data: Path,
    ports: dict[str, Port],
    password: str,
    vhosts: Sequence[str],
    *,
    options: Mapping[str, int] | None = None,
) -> None:
    """`ports`: of `amqp`, `erlang` and `epmd`; `options`: of Erlang's application `rabbit`. Every
    vhost is there when this returns."""
    data.mkdir(parents=True, exist_ok=True)
    listeners = f"listeners.tcp.1 = {HOST}:{ports['amqp'].number}\n"
    configure(data, listeners, password, vhosts)
    env = _environment(data, ports, options or {})
    server, epmd = programs(env["PATH"])
    # Erlang would start its name server itself, as a daemon that outlives the broker.
    processes.start(
        "epmd", [epmd, "-address", HOST, "-port", str(ports["epmd"].release())], env=env
    )
    ports["amqp"].release()
    ports["erlang"].release()
    broker = processes.start("rabbitmq", [server], env=env)
    broker.wait_until(lambda: answers(url(ports["amqp"], password)), seconds=90)


def url(port: Port, password: str) -> str:
    """Of the vhost `/`."""
    return f"amqp://{USER}:{password}@{HOST}:{port.number}/%2F"


def at_vhost(amqp_url: str, vhost: str) -> str:
    """The same broker, another vhost."""
    return f"{amqp_url.rpartition('/')[0]}/{vhost}"


def configure(data: Path, settings: str, password: str, vhosts: Sequence[str]) -> None:
    """`settings`: lines of rabbitmq.conf."""
    definitions = {
        "users": [{"name": USER, **_hashed(password), "tags": ["administrator"]}],
        "vhosts": [{"name": vhost} for vhost in vhosts],
        "permissions": [
            {"user": USER, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"}
            for vhost in vhosts
        ],
    }
    (data / "definitions.json").write_text(json.dumps(definitions))
    (data / "rabbitmq.conf").write_text(f"{settings}load_definitions = {data}/definitions.json\n")
    (data / "enabled_plugins").write_text("[].\n")


def _hashed(password: str) -> dict[str, str]:
    """As RabbitMQ keeps it: base64 of a salt of 4 bytes and SHA-256 of salt and password."""
    salt = secrets.token_bytes(4)
    digest = hashlib.sha256(salt + password.encode()).digest()
    return {
        "password_hash": base64.b64encode(salt + digest).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
    }


def _environment(data: Path, ports: dict[str, Port], options: Mapping[str, int]) -> dict[str, str]:
    return {
        **private_environment(data),
        "RABBITMQ_NODENAME": "innotter@localhost",
        "RABBITMQ_NODE_PORT": str(ports["amqp"].number),
        "RABBITMQ_DIST_PORT": str(ports["erlang"].number),
        "ERL_EPMD_PORT": str(ports["epmd"].number),
        "ERL_EPMD_ADDRESS": HOST,
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": " ".join(
            [
                "-kernel inet_dist_use_interface {127,0,0,1}",
                *(f"-rabbit {name} {value}" for name, value in options.items()),
            ]
        ),
    }


def private_environment(data: Path) -> dict[str, str]:
    """Of a node whose files are all below `data`."""
    root = tools.rabbitmq()
    path = os.environ.get("PATH", os.defpath)
    return {
        **os.environ,
        "PATH": f"{root}/usr/lib/erlang/bin:{path}" if root else path,
        # Where Erlang keeps the cookie.
        "HOME": str(data),
        "RABBITMQ_MNESIA_BASE": str(data / "mnesia"),
        "RABBITMQ_LOG_BASE": str(data / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(data / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(data / "enabled_plugins"),
        "RABBITMQ_CONFIG_FILE": str(data / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
    }


def programs(path: str) -> tuple[Path, Path]:
    """rabbitmq-server and epmd."""
    root = tools.rabbitmq()
    server = (
        next(root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"))
        if root
        else tools.installed_rabbitmq()
    )
    epmd = shutil.which("epmd", path=path)
    if server is None or epmd is None:
        raise Failed("rabbitmq-server is there, but Erlang's epmd is not on PATH.")
    return server, Path(epmd)


def answers(amqp_url: str) -> bool:
    """Whether a broker lets one in there."""
    connection = kombu.Connection(amqp_url, connect_timeout=2)
    try:
        connection.connect()
    except connection.connection_errors:
        return False
    connection.release()
    return True
