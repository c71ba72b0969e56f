"""The environment that the processes of one stack run in: `.env.example` explains each name."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from dev.backing import BackingServices
from dev.errors import Failed
from dev.paths import ROOT
from innotter.config.environment import Environment
from innotter_contracts.settings import refused
from innotter_stats.settings import Settings


def given() -> dict[str, str]:
    """What the person who runs this has set: the environment, then `.env`."""
    values = {**dotenv_values(ROOT / ".env"), **os.environ}
    return {name: value for name, value in values.items() if value}


def defaults(*, secrets_folder: Path, core_url: str, stats_url: str) -> dict[str, str]:
    """For everything that nobody has set, but for the URLs of the backing services."""
    return {
        "INNOTTER_ENV": "development",
        "LOG_STYLE": "console",
        "LOG_LEVEL": "INFO",
        "SECRET_KEY": f"development-{remembered(secrets_folder / 'secret_key')}",
        "SIGNING_KEYS_FILE": str(secrets_folder / "signing_keys.json"),
        "CORE_URL": core_url,
        "STATISTICS_URL": stats_url,
        "JWKS_URL": f"{core_url}/.well-known/jwks.json",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "MAIL_FROM": "innotter@example.com",
        "MEDIA_BUCKET": "innotter-media",
        "EXPORT_BUCKET": "innotter-exports",
        "STATISTICS_TABLE": "innotter-statistics",
    }


def with_backing(env: Mapping[str, str], backing: BackingServices) -> dict[str, str]:
    """`env` and the URLs of the backing services; for AWS itself the credentials of `env`."""
    urls = {"DATABASE_URL": backing.database_url, "AMQP_URL": backing.amqp_url}
    if backing.aws_endpoint_url is None:
        # A `.env` that a process reads by itself may still hold the word `none`.
        aws = {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
        env = {name: value for name, value in env.items() if name != "AWS_ENDPOINT_URL"}
    else:
        aws = {
            "AWS_ENDPOINT_URL": backing.aws_endpoint_url,
            "AWS_DEFAULT_REGION": env.get("AWS_DEFAULT_REGION", "us-east-1"),
            "AWS_ACCESS_KEY_ID": env.get("AWS_ACCESS_KEY_ID", "test"),
            "AWS_SECRET_ACCESS_KEY": env.get("AWS_SECRET_ACCESS_KEY", "test"),
        }
    return {**env, **urls, **aws}


def check(env: Mapping[str, str]) -> None:
    """Raises Failed, before anything starts, where a service would end over its settings: with
    the lines that it would end with."""
    services: tuple[type[BaseSettings], ...] = (Environment, Settings)
    lines: list[str] = []
    for service in services:
        named = {name: env[name.upper()] for name in service.model_fields if name.upper() in env}
        try:
            service.model_validate(named)
        except ValidationError as error:
            lines += str(refused(error)).splitlines()
    if lines:
        raise Failed("\n".join(dict.fromkeys(lines)))


def record(env: Mapping[str, str], file: Path) -> None:
    """For recorded(): what of `env` our processes read, for its owner's eyes alone."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = file.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(json.dumps({name: env[name] for name in env if _is_ours(name)}))
    new.replace(file)


def recorded(file: Path) -> dict[str, str]:
    """Raises Failed where nothing was."""
    try:
        found: dict[str, str] = json.loads(file.read_text())
    except FileNotFoundError:
        raise Failed("Nothing ever ran here: begin with `make run`.") from None
    return found


def _is_ours(name: str) -> bool:
    """A setting, or one of those that boto3 reads itself."""
    fields = {**Environment.model_fields, **Settings.model_fields}
    return name.lower() in fields or name.startswith("AWS_")


def remembered(file: Path) -> str:
    """The random word in a file that only its owner can read; made when it is not there."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as secret:
            secret.write(secrets.token_hex(32))
    return file.read_text()
