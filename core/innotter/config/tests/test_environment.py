"""What keeps a core from starting."""

import subprocess
import sys
from collections.abc import Callable
from email.header import decode_header, make_header
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from innotter.accounts.keys import create_signing_keys
from innotter.config.environment import DEVELOPMENT, Environment, load

MANAGE = Path(__file__).parents[3] / "manage.py"


SECRET = "a-secret-of-nobody's-0123456789-0123456789-0123456789"


@pytest.fixture
def production(tmp_path: Path) -> dict[str, Any]:
    """Variables that a production core starts with."""
    keys = tmp_path / "keys.json"
    create_signing_keys(keys, prefix="")
    return {
        "innotter_env": "production",
        "secret_key": SECRET,
        "signing_keys_file": keys,
        "database_url": "postgresql://core:secret@db/innotter",
        "amqp_url": "amqp://core:secret@broker//",
        "mail_from": "Innotter <mail@innotter.example.com>",
        "media_url": "https://media.example.com",
        "aws_default_region": "eu-central-1",
    }


@pytest.fixture
def refusal(
    production: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., list[str]]:
    """What a process with these variables instead says before it ends, line by line."""
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)

    def lines(**variables: str | None) -> list[str]:
        for name, value in {**production, **variables}.items():
            if value is not None:
                monkeypatch.setenv(name.upper(), str(value))
        with pytest.raises(SystemExit) as end:
            load()
        first, *found = str(end.value.code).splitlines()
        assert first == "The settings are not valid:"
        return found

    return lines


def test_production_starts_with_secrets_of_its_own(production: dict[str, Any]) -> None:
    assert Environment(**production).innotter_env == "production"


HOSTS = ["https://", "innotter.example", "https://me@host", "https://host?x", "https://a b"]
HOSTS += [
    "https://host\nx",
    "https://иннотер.рф",
    "https://host:99999",
    "ftp://host",
    "https://a;b",
]
PLACES = [*HOSTS, "https://host/#x"]
SENDERS = ["a@b.example\nBcc: d@e.f", "a@b.example, c@d.example", "innotter@example.com"]
DATABASES = [
    "postgresql://db:x/y",
    "postgresql://a:1,b:99999/y",
    "postgresql://a/y?mode=x",
    "host=a",
]
BROKERS = ["amqp://a b", "amqp://a,b", "amqp://a,http://b", "amqp://a;", "amqp://a:b;c@d"]
# Of each variable, what means nothing; of lists one word of several.
NONSENSE = {
    "innotter_env": ["", "staging"],
    "log_style": ["", "xml"],
    "log_level": ["", "LOUD"],
    "secret_key": ["", "k", "k" * 64, f"{DEVELOPMENT}-{SECRET}"],
    "secret_key_fallbacks": ["k", f"{SECRET},short", f"{SECRET},{DEVELOPMENT}-{SECRET}"],
    "database_url": ["", "innotter", "mysql://db/x", "postgresql://db", *DATABASES],
    "database_replica_urls": ["replica", "postgresql://db", "postgresql://a/x,mysql://b/x"],
    "database_direct_url": ["innotter", "mysql://db/x", *DATABASES],
    "amqp_url": ["", "broker", "http://broker", "amqp://", "amqp://broker:0", *BROKERS],
    "core_url": ["", *HOSTS, "https://host/path"],
    "cors_origins": [*HOSTS, "https://fine.example,https://host/path", "*"],
    "statistics_url": ["", *PLACES],
    "statistics_internal_url": PLACES,
    "media_url": ["", *PLACES],
    "export_endpoint_url": PLACES,
    "aws_endpoint_url": PLACES,
    "aws_default_region": ["Frankfurt", "eu-central", "eu-central-1 "],
    "site_templates": ["/nowhere"],
    "trusted_proxies": ["", "-1", "some", "100"],
    "limits": ["writes", "writes=1", "writes=1/0", "writes=-1/5", "naps=1/1", "writes=1/5;2"],
    "email_confirmation": ["", "after"],
    "unconfirmed_may_write": ["", "perhaps"],
    "registration": ["", "ajar"],
    "pages_per_user": ["", "-1", "many", "1e12"],
    "second_factor_required": ["", "everybody"],
    "allowed_hosts": ["", ",", "https://innotter.example", "a b", "fine,иннотер.рф", "host/x"],
    "hsts_subdomains": ["", "perhaps"],
    "api_processes": ["", "0", "x", "100000"],
    "api_threads": ["", "0", "x", "100000"],
    "worker_threads": ["", "0", "x", "100000"],
    "mail_from": ["", "innotter", "Innotter <>", "a@b", "a@host.localhost", *SENDERS],
    "sns_topic_arns": ["topic", "arn:aws:sqs:eu-west-1:1:a", "arn:aws:sns:eu-west-1:1:a,b"],
    "media_bucket": ["", "A Bucket", "b"],
    "export_bucket": ["", "b/c", "innotter-media"],
    "metrics_host": ["", "a b", "http://host"],
    "metrics_port": ["0", "70000", "x"],
}
# Any text names a file, a folder that is made, or a word.
ANYTHING = {"signing_keys_file", "static_root", "reserved_names", "test_database_template"}


def test_nonsense_is_known_of_each_variable() -> None:
    assert {*NONSENSE, *ANYTHING} == set(Environment.model_fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [pytest.param(name, value) for name, values in NONSENSE.items() for value in values],
)
def test_nonsense_is_refused_in_one_line_that_names_the_variable(
    refusal: Callable[..., list[str]], name: str, value: str
) -> None:
    (line,) = refusal(**{name: value})
    assert line.startswith(f"{name.upper()} ")


def test_a_database_may_have_several_hosts_and_options_as_libpq_reads_them(
    production: dict[str, Any],
) -> None:
    env = {name.upper(): str(value) for name, value in production.items()}
    env["DATABASE_URL"] = (
        "postgresql://core:a%40b@db1:5433,db2:5434/innotter"
        "?target_session_attrs=read-write&connect_timeout=2"
    )
    said = (
        "from django.db import connection as c; p = c.get_connection_params(); print(*map(p.get, "
    )
    said += "['host', 'port', 'password', 'target_session_attrs', 'connect_timeout']))"
    command = [sys.executable, str(MANAGE), "shell", "--no-imports", "--command", said]
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("db1,db2 5433,5434 a@b read-write 2\n", "")


@pytest.mark.parametrize("between", [",", ";"])
def test_a_broker_may_have_several_nodes_and_commas_in_passwords(
    production: dict[str, Any], between: str
) -> None:
    nodes = ["amqp://core:a,b@rabbit1:5672/%2F", "amqps://core:a,b@rabbit2/%2F"]
    given = Environment(**{**production, "amqp_url": between.join(nodes)})
    assert given.amqp_url.get_secret_value() == ";".join(nodes)


def test_what_is_missing_is_named(refusal: Callable[..., list[str]]) -> None:
    required = ["secret_key", "signing_keys_file", "database_url", "amqp_url"]
    assert refusal(**dict.fromkeys(required)) == [
        f"{name.upper()} must be set" for name in required
    ]


def test_all_that_is_wrong_is_named_at_once(refusal: Callable[..., list[str]]) -> None:
    wrong = {"secret_key": "k", "core_url": "", "mail_from": "", "media_url": "", "limits": "x"}
    assert {line.split()[0].lower() for line in refusal(**wrong)} == set(wrong)


def test_a_process_ends_with_these_lines_alone(production: dict[str, Any]) -> None:
    env = {name.upper(): str(value) for name, value in production.items()} | {"CORE_URL": "here"}
    command = [sys.executable, str(MANAGE), "check"]
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    first, second = done.stderr.splitlines()
    assert first == "The settings are not valid:"
    assert second.startswith("CORE_URL must be http:// or https://")


def test_a_sender_may_have_a_name(production: dict[str, Any]) -> None:
    sender = Environment(**{**production, "mail_from": "Иннотер <Mail@Innotter.example.com>"})
    assert parseaddr(str(make_header(decode_header(sender.mail_from)))) == (
        "Иннотер",
        "mail@innotter.example.com",
    )
    assert sender.mail_from.isascii()


def test_production_refuses_signing_keys_of_the_development_stack(
    refusal: Callable[..., list[str]], tmp_path: Path
) -> None:
    file = tmp_path / "development.json"
    create_signing_keys(file, prefix=f"{DEVELOPMENT}-")
    assert refusal(signing_keys_file=str(file)) == [
        "SIGNING_KEYS_FILE holds a key that was generated for development"
    ]
    file.write_text("{}")
    assert refusal(signing_keys_file=str(file)) == [
        "SIGNING_KEYS_FILE can't be read, or holds no keys"
    ]


def test_the_command_that_makes_the_keys_runs_before_there_are_any(
    production: dict[str, Any], tmp_path: Path
) -> None:
    keys = tmp_path / "new.json"
    env = {name.upper(): str(value) for name, value in production.items()}
    command = [sys.executable, str(MANAGE), "create_signing_keys", str(keys)]
    subprocess.run(command, env={**env, "SIGNING_KEYS_FILE": str(keys)}, check=True)
    assert Environment(**{**production, "signing_keys_file": keys}).signing_keys_file == keys


def test_production_says_which_region_of_aws(
    refusal: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    [line] = refusal(aws_default_region=None)
    assert line.startswith("AWS_DEFAULT_REGION must be set")
    # Where boto3 finds one, there is one.
    (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n")
    assert load().aws_default_region is None


def test_development_starts_with_them(production: dict[str, Any]) -> None:
    secret = f"{DEVELOPMENT}-{SECRET}"
    started = Environment(**{**production, "innotter_env": DEVELOPMENT, "secret_key": secret})
    assert started.secret_key.get_secret_value() == secret


def test_development_shows_pictures_by_its_endpoint(production: dict[str, Any]) -> None:
    endpoint = {"aws_endpoint_url": "http://localhost:4566", "media_url": None}
    development = {**production, **endpoint, "innotter_env": DEVELOPMENT}
    assert Environment(**development).media_url is None
    # What `.env` says for AWS itself.
    with pytest.raises(ValidationError, match="media_url"):
        Environment(**{**development, "aws_endpoint_url": "none"})


def test_a_refusal_quotes_no_secret(refusal: Callable[..., list[str]]) -> None:
    wrong = {"secret_key": "hush", "database_url": "mysql://a:hush@b/c", "amqp_url": "x://hush@b"}
    assert "hush" not in "".join(refusal(**wrong))


LISTS = {
    "allowed_hosts": ["innotter.example", "b"],
    "cors_origins": ["https://app.example", "http://b"],
    "database_replica_urls": ["postgresql://core:secret@b/innotter", "postgresql://c:5433/x"],
    "reserved_names": ["harbourmaster", "b"],
    "sns_topic_arns": ["arn:aws:sns:eu-west-1:1:a", "arn:aws-cn:sns:cn-north-1:1:b.fifo"],
    "secret_key_fallbacks": [f"former-{SECRET}", f"older-{SECRET}"],
}


def test_every_list_is_separated_by_commas_and_stripped(
    production: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {name for name, field in Environment.model_fields.items() if "list[" in str(field)}
    assert names == set(LISTS)
    for name, (one, other) in LISTS.items():
        monkeypatch.setenv(name.upper(), f" {one} ,, {other},\t")
    found = Environment(**production).model_dump()
    for name, words in LISTS.items():
        assert [getattr(e, "get_secret_value", lambda e=e: e)() for e in found[name]] == words


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
    former = {"secret_key": f"new-{SECRET}", "secret_key_fallbacks": f"older-{SECRET}, {SECRET}"}
    assert printed(production, read, **former) == "True"
    with pytest.raises(subprocess.CalledProcessError):
        printed(production, read, secret_key=f"new-{SECRET}")


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
