"""What keeps a core from starting."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from innotter.accounts.keys import create_signing_keys
from innotter.config.settings import DEVELOPMENT, Environment

MANAGE = Path(__file__).parents[3] / "manage.py"


@pytest.fixture
def production(tmp_path: Path) -> dict[str, Any]:
    """Variables that a production core starts with."""
    keys = tmp_path / "keys.json"
    create_signing_keys(keys, prefix="")
    return {
        "innotter_env": "production",
        "secret_key": "k" * 50,
        "signing_keys_file": keys,
        "database_url": "postgresql://core:secret@db/innotter",
        "amqp_url": "amqp://core:secret@broker//",
        "media_url": "https://media.example.com",
    }


def test_production_starts_with_secrets_of_its_own(production: dict[str, Any]) -> None:
    assert Environment(**production).innotter_env == "production"


def test_production_refuses_the_secret_key_of_the_development_stack(
    production: dict[str, Any],
) -> None:
    production["secret_key"] = f"{DEVELOPMENT}-{'k' * 64}"
    with pytest.raises(ValidationError, match="SECRET_KEY was generated for development"):
        Environment(**production)


def test_production_refuses_a_short_secret_key(production: dict[str, Any]) -> None:
    production["secret_key"] = "k" * 49
    with pytest.raises(ValidationError, match="shorter than 50"):
        Environment(**production)


def test_production_refuses_signing_keys_of_the_development_stack(
    production: dict[str, Any], tmp_path: Path
) -> None:
    production["signing_keys_file"] = tmp_path / "development.json"
    create_signing_keys(production["signing_keys_file"], prefix=f"{DEVELOPMENT}-")
    with pytest.raises(ValidationError, match="generated for development"):
        Environment(**production)


def test_the_command_that_makes_the_keys_runs_before_there_are_any(
    production: dict[str, Any], tmp_path: Path
) -> None:
    keys = tmp_path / "new.json"
    env = {name.upper(): str(value) for name, value in production.items()}
    command = [sys.executable, str(MANAGE), "create_signing_keys", str(keys)]
    subprocess.run(command, env={**env, "SIGNING_KEYS_FILE": str(keys)}, check=True)
    assert Environment(**{**production, "signing_keys_file": keys}).signing_keys_file == keys


def test_development_starts_with_them(production: dict[str, Any]) -> None:
    secret = f"{DEVELOPMENT}-key"
    started = Environment(**{**production, "innotter_env": DEVELOPMENT, "secret_key": secret})
    assert started.secret_key.get_secret_value() == secret


def test_no_core_starts_without_secrets(
    production: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("secret_key", "signing_keys_file", "database_url", "amqp_url"):
        monkeypatch.delenv(name.upper(), raising=False)
        with pytest.raises(ValidationError, match=name):
            Environment(**{n: value for n, value in production.items() if n != name})


def test_production_needs_media_url(production: dict[str, Any]) -> None:
    endpoint = {"aws_endpoint_url": "http://localhost:4566", "media_url": None}
    with pytest.raises(ValidationError, match="MEDIA_URL"):
        Environment(**{**production, **endpoint})
    development = {**production, **endpoint, "innotter_env": DEVELOPMENT}
    assert Environment(**development).media_url is None
    # What `.env` says for AWS itself.
    with pytest.raises(ValidationError, match="MEDIA_URL"):
        Environment(**{**development, "aws_endpoint_url": "none"})


def test_a_refusal_quotes_no_secret(production: dict[str, Any]) -> None:
    production["secret_key"] = f"{DEVELOPMENT}-hush"
    with pytest.raises(ValidationError) as refusal:
        Environment(**production)
    assert "hush" not in str(refusal.value)
    assert "secret@" not in str(refusal.value)


LISTS = {
    "allowed_hosts": "innotter.example",
    "cors_origins": "https://app.example",
    "reserved_names": "harbourmaster",
    "sns_topic_arns": "arn:aws:sns:eu-west-1:1:a",
    "secret_key_fallbacks": "a-former-key",
}


def test_every_list_is_separated_by_commas_and_stripped(
    production: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {name for name, field in Environment.model_fields.items() if "list[" in str(field)}
    assert names == set(LISTS)
    for name, one in LISTS.items():
        monkeypatch.setenv(name.upper(), f" {one} ,, b,\t")
    found = Environment(**production).model_dump()
    for name, one in LISTS.items():
        assert [getattr(e, "get_secret_value", lambda e=e: e)() for e in found[name]] == [one, "b"]


def test_production_refuses_a_former_secret_key_of_the_development_stack(
    production: dict[str, Any],
) -> None:
    production["secret_key_fallbacks"] = f"fine,{DEVELOPMENT}-key"
    with pytest.raises(ValidationError, match="SECRET_KEY_FALLBACKS") as refused:
        Environment(**production)
    assert "fine" not in str(refused.value)


def printed(production: dict[str, Any], code: str, **variables: str) -> str:
    """What a core with these variables prints."""
    env = {name.upper(): str(value) for name, value in {**production, **variables}.items()}
    setup = "import django; django.setup()\n"
    command = [sys.executable, "-c", setup + code]
    where = {"DJANGO_SETTINGS_MODULE": "innotter.config.settings", "PYTHONPATH": str(MANAGE.parent)}
    done = subprocess.run(command, env={**env, **where}, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_what_a_former_secret_key_signed_is_still_believed(production: dict[str, Any]) -> None:
    imports = "from uuid import UUID\nfrom innotter.mail import tokens\n"
    one = "UUID(int=1)"
    old = printed(production, f"{imports}print(tokens.unsubscribe_token({one}, {one}))")
    read = f"{imports}print(tokens.read_unsubscribe_token('{old}') == ({one}, {one}))"
    former = {"secret_key": "n" * 50, "secret_key_fallbacks": f"other, {'k' * 50}"}
    assert printed(production, read, **former) == "True"
    with pytest.raises(subprocess.CalledProcessError):
        printed(production, read, secret_key="n" * 50)


@pytest.mark.parametrize(
    ("url", "subdomains", "expected"),
    [
        ("http://innotter.example", "false", "0 False False"),
        ("https://innotter.example", None, "31536000 False False"),
        ("https://innotter.example", "false", "31536000 False False"),
        ("https://innotter.example", "true", "31536000 True True"),
    ],
)
def test_browsers_are_held_to_https_at_our_own_host_alone_unless_the_operator_says_so(
    production: dict[str, Any], url: str, subdomains: str | None, expected: str
) -> None:
    names = ("SECONDS", "INCLUDE_SUBDOMAINS", "PRELOAD")
    words = ", ".join(f"settings.SECURE_HSTS_{name}" for name in names)
    code = f"from django.conf import settings\nprint({words})"
    variables = {"core_url": url, **({"hsts_subdomains": subdomains} if subdomains else {})}
    assert printed(production, code, **variables) == expected
