"""What the environment decides about the core, read once and checked before anything starts."""

import json
import re
from email.utils import formataddr, parseaddr
from pathlib import Path
from typing import Annotated, Any, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    AfterValidator,
    BeforeValidator,
    DirectoryPath,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from innotter.common.emails import canonical_email
from innotter_contracts.settings import (
    HOST,
    EndpointUrl,
    HttpUrl,
    LogLevel,
    Origin,
    PortNumber,
    amqp_url,
    is_port,
    listed,
    loaded,
)

# What the development stack generates begins so, and production refuses it.
DEVELOPMENT = "development"
# The emulator believes that it is ours; SES doesn't.
DEVELOPMENT_SENDER = "innotter@example.com"
# Django's own measure (security.W009).
SHORTEST_SECRET, FEWEST_CHARACTERS = 50, 5
# PostgreSQL's integer.
LARGEST = 2**31 - 1

# So many times in so many seconds; 0 times: no limit. Far above what people do, so that only
# programs meet them.
LIMITS = {
    # Each call that changes something, of one user.
    "writes": (1200, 60),
    "registrations_from_address": (1000, 3600),
    "registrations_as_name": (30, 3600),
    # Wrong passwords.
    "failures_of_account_from_address": (30, 300),
    "failures_from_address": (300, 300),
    # From everywhere; holds for IPs from which the account was not logged in to of late.
    "failures_of_account": (300, 300),
    # Requests for a link to a new password, and the mails that they bring to one mailbox.
    "resets_from_address": (300, 300),
    "resets_to_mailbox": (3, 3600),
    # Mails that ask whether a mailbox is an account's.
    "confirmations_to_mailbox": (10, 3600),
    # Tokens of links in mails that are none.
    "wrong_links_from_address": (300, 300),
    # Codes of the second factor: a million, three of which are good at once.
    "wrong_codes_of_account_from_address": (15, 3600),
    "wrong_codes_of_account": (60, 3600),
    # Logins that wait for a second factor, or for a passkey.
    "challenges_from_address": (1000, 300),
    "refreshes_from_address": (3000, 300),
    "refreshes_of_account": (300, 300),
}


def _is_production(about: ValidationInfo) -> bool:
    return about.data.get("innotter_env") == "production"


def _secret(key: SecretStr, about: ValidationInfo) -> SecretStr:
    text = key.get_secret_value()
    if _is_production(about) and text.startswith(DEVELOPMENT):
        raise ValueError("was generated for development: set one of your own")
    if len(text) < SHORTEST_SECRET or len(set(text)) < FEWEST_CHARACTERS:
        raise ValueError(f"must be {SHORTEST_SECRET} random characters or more")
    return key


def _not_of_development(file: Path, about: ValidationInfo) -> Path:
    """A file that isn't there is another matter: the command that makes it runs before."""
    if not _is_production(about) or not file.exists():
        return file
    try:
        kids = [str(key["kid"]) for key in json.loads(file.read_text())["keys"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError("can't be read, or holds no keys") from None
    if any(kid.startswith(DEVELOPMENT) for kid in kids):
        raise ValueError("holds a key that was generated for development")
    return file


def _database_url(url: SecretStr) -> SecretStr:
    """As libpq reads it, several hosts included."""
    text = url.get_secret_value()
    try:
        parts = conninfo_to_dict(text)
    except psycopg.Error:
        # It would show the password.
        parts = {}
    ports = [port for port in str(parts.get("port", "")).split(",") if port]
    is_uri = text.startswith(("postgresql://", "postgres://"))
    if not is_uri or not parts.get("dbname") or not all(map(is_port, ports)):
        raise ValueError("must be of the form postgresql://user:password@host:port/name")
    return url


def _amqp_url(url: SecretStr) -> SecretStr:
    return SecretStr(amqp_url(url.get_secret_value()))


def _limits(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    found = {}
    for part in listed(text):
        name, _, limit = part.partition("=")
        numbers = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", limit)
        if name not in LIMITS or not numbers or not int(numbers[2]):
            raise ValueError(f"must be a list of NAME=TIMES/SECONDS; names are {', '.join(LIMITS)}")
        found[name] = (int(numbers[1]), int(numbers[2]))
    return found


def _sender(text: str, about: ValidationInfo) -> str:
    """As RFC 5322 writes it, a name that isn't ASCII encoded."""
    if _is_production(about) and text == DEVELOPMENT_SENDER:
        raise ValueError("must be set in production: a sender that SES has verified")
    name, address = parseaddr(text if text.isprintable() else "")
    try:
        return formataddr((name, canonical_email(address)))
    except ValueError:
        raise ValueError(
            "must be an e-mail address, perhaps with a name: Innotter <mail@example.com>"
        ) from None


def _required_outside_of_the_emulator(url: str | None, about: ValidationInfo) -> str | None:
    """In development an endpoint of our own shows pictures too; AWS does not without a policy."""
    if not url and (_is_production(about) or not about.data.get("aws_endpoint_url", True)):
        raise ValueError("must be the public URL of the pictures")
    return url


def _somewhere(region: str | None, about: ValidationInfo) -> str | None:
    """boto3 has other places to look for one; they are asked where this variable is not set."""
    if not region and _is_production(about):
        import boto3  # noqa: PLC0415 (some roles never need it)

        if not boto3.Session().region_name:
            raise ValueError("must be set in production: the region of AWS")
    return region


def _not_public(bucket: str, about: ValidationInfo) -> str:
    if bucket == about.data.get("media_bucket"):
        raise ValueError("must not be MEDIA_BUCKET, which everybody may read")
    return bucket


type Secret = Annotated[SecretStr, AfterValidator(_secret)]
type DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
type HostPattern = Annotated[str, StringConstraints(pattern=rf"^(?:\*|\.?{HOST})$")]
type TopicArn = Annotated[
    str, StringConstraints(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d+:[\w-]+(?:\.fifo)?$")
]
type Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,}(-[a-z]+)+-[0-9]+$")]
# S3's own rule.
type Bucket = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
Listed = Annotated[list[str], NoDecode, BeforeValidator(listed)]
OrNone = BeforeValidator(lambda text: text or None)
OptionalUrl = Annotated[HttpUrl | None, OrNone]


class Environment(BaseSettings):
    """Every variable that the core reads; .env.example explains them."""

    # The input stays out of the messages: most of it is secret.
    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    innotter_env: Literal["development", "test", "production"] = "development"
    log_style: Literal["json", "console"] = "json"
    log_level: LogLevel = "INFO"
    secret_key: Secret
    # Former values of it: what was signed with them stays valid.
    secret_key_fallbacks: Annotated[list[Secret], NoDecode, BeforeValidator(listed)] = []
    signing_keys_file: Annotated[Path, AfterValidator(_not_of_development)]
    database_url: DatabaseUrl
    # Hot standbys of that server, which answer reads; none: it answers all of them.
    database_replica_urls: Annotated[list[DatabaseUrl], NoDecode, BeforeValidator(listed)] = []
    # Past the pooler that DATABASE_URL leads to: for what keeps something on a connection.
    database_direct_url: Annotated[DatabaseUrl | None, OrNone] = None
    amqp_url: Annotated[SecretStr, AfterValidator(_amqp_url)]
    core_url: Origin = "http://localhost:8000"
    statistics_url: HttpUrl = "http://localhost:8001"
    # Where the core itself reaches the statistics service.
    statistics_internal_url: OptionalUrl = None
    # Of the site's static files, once they are collected; empty: served as they are.
    static_root: Annotated[Path | None, OrNone] = None
    # A folder whose templates come before ours: web/about.html, web/privacy.html, web/terms.html.
    site_templates: Annotated[DirectoryPath | None, OrNone] = None
    # Proxies in front of the core that write X-Forwarded-For; no other is trusted.
    trusted_proxies: int = Field(default=0, ge=0, le=16)
    # Limits other than those below: `writes=600/60,registrations_from_address=50/3600`.
    limits: Annotated[dict[str, tuple[int, int]], NoDecode, BeforeValidator(_limits)] = {}
    # before_account: the confirmation of its mailbox makes an account; before_mail: who has not
    # confirmed one gets no mail about pages; off: nobody has to.
    email_confirmation: Literal["before_account", "before_mail", "off"] = "before_mail"
    # Whether an account without a confirmed mailbox may post, follow, like and the like.
    unconfirmed_may_write: bool = True
    # Who may register: everybody; who has an invitation; whom moderators let in; nobody.
    registration: Literal["open", "invitation", "approval", "closed"] = "open"
    # Usernames and uuids that nobody may take, beside those of common/reserved.py.
    reserved_names: Listed = []
    # Pages that one user may own; 0: as many as they like.
    pages_per_user: int = Field(default=100, ge=0, le=LARGEST)
    # Who may do nothing for others before they have a second factor: nobody, admins, or moderators
    # and admins.
    second_factor_required: Literal["off", "admins", "moderators"] = "off"
    # Other origins whose pages may call the API; none unless named.
    cors_origins: Annotated[list[Origin], NoDecode, BeforeValidator(listed)] = []
    allowed_hosts: Annotated[
        list[HostPattern], NoDecode, BeforeValidator(listed), Field(min_length=1)
    ] = ["localhost", "127.0.0.1", "[::1]"]
    # Holds browsers to https at every name below that of CORE_URL, for a year.
    hsts_subdomains: bool = False
    # Processes that serve the API, and the requests that each works on at once.
    api_processes: int = Field(default=2, ge=1, le=512)
    api_threads: int = Field(default=4, ge=1, le=512)
    # Tasks that the worker of mail works on at once.
    worker_threads: int = Field(default=2, ge=1, le=512)
    mail_from: Annotated[str, AfterValidator(_sender)] = Field(
        default=DEVELOPMENT_SENDER, validate_default=True
    )
    sns_topic_arns: Annotated[list[TopicArn], NoDecode, BeforeValidator(listed)] = []
    aws_endpoint_url: EndpointUrl = None
    # Read by boto3.
    aws_default_region: Annotated[Region | None, OrNone, AfterValidator(_somewhere)] = Field(
        default=None, validate_default=True
    )
    media_bucket: Bucket = "innotter-media"
    media_url: Annotated[OptionalUrl, AfterValidator(_required_outside_of_the_emulator)] = Field(
        default=None, validate_default=True
    )
    export_bucket: Annotated[Bucket, AfterValidator(_not_public)] = "innotter-exports"
    # Where browsers reach the S3 of that bucket, if not at AWS_ENDPOINT_URL.
    export_endpoint_url: OptionalUrl = None
    # Where this process serves what it counts; nowhere without a port.
    metrics_host: HostPattern = "127.0.0.1"
    metrics_port: Annotated[PortNumber | None, OrNone] = None
    # Set by the test runner: a migrated database that the tests' own are copied from.
    test_database_template: str | None = None


def load() -> Environment:
    """Ends the process with a line for each setting that makes no sense."""
    return loaded(Environment)
