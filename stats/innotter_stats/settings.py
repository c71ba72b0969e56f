"""Everything that the environment decides about this service, checked before it starts.

boto3 reads AWS_ENDPOINT_URL, AWS_DEFAULT_REGION and the AWS_* keys itself.
"""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from dotenv import load_dotenv
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_DEVELOPMENT_AMQP_URL = "amqp://guest:guest@localhost:5672//"


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https URL")
    return url.rstrip("/")


def _amqp_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("amqp", "amqps") or not parts.hostname:
        raise ValueError("must be of the form amqp://user:password@host:port/vhost")
    return url


def _listed(words: object) -> object:
    """What stands between commas, without the spaces around it."""
    if isinstance(words, str):
        return [word.strip() for word in words.split(",") if word.strip()]
    return words


type Listed = Annotated[list[str], NoDecode, BeforeValidator(_listed)]
type HttpUrl = Annotated[str, AfterValidator(_http_url)]
type AmqpUrl = Annotated[str, AfterValidator(_amqp_url)]


class Settings(BaseSettings):
    # The input stays out of the messages: AMQP_URL holds a password.
    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    innotter_env: Literal["development", "test", "production"] = "development"
    log_style: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    # Where this process serves what it counts; nowhere without a port.
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=1, le=65_535)

    # The core's public URL. Tokens must name exactly this as their issuer.
    core_url: HttpUrl = "http://localhost:8000"
    # Apart from core_url, because this service may reach the core at another URL than people do.
    jwks_url: HttpUrl = Field(
        default_factory=lambda data: f"{data['core_url']}/.well-known/jwks.json"
    )

    # Host names that this service answers to, separated by commas.
    allowed_hosts: Listed = ["localhost", "127.0.0.1", "[::1]"]
    # Other origins whose pages may read the answers; none unless named.
    cors_origins: Listed = []

    # DynamoDB's own rule for names of tables.
    statistics_table: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{3,255}$")] = (
        "innotter-statistics"
    )

    amqp_url: AmqpUrl = Field(default=_DEVELOPMENT_AMQP_URL, repr=False)
    # Events that are counted together. A transaction carries at most 98 of them; the larger the
    # batch, the more of its events share a page, and so the updates of that page's counters.
    # Some six to fifteen transactions a batch: well within a second, however many pages.
    consumer_batch_size: int = Field(default=500, ge=1, le=10_000)
    # Seconds to wait for more since a batch's first event: what a lone event is late by at most.
    consumer_batch_wait: float = Field(default=0.2, ge=0, le=10)
    # Messages that the broker hands out ahead of their acknowledgement: one batch being counted
    # and the next one already here. It is also the most that is held in memory.
    consumer_prefetch: int = Field(default=1000, ge=1, le=65_535)

    @model_validator(mode="after")
    def _batches_can_fill(self) -> Self:
        if self.consumer_prefetch < self.consumer_batch_size:
            raise ValueError(
                "CONSUMER_PREFETCH must be at least CONSUMER_BATCH_SIZE, or a batch never fills"
            )
        return self

    @model_validator(mode="after")
    def _fit_for_production(self) -> Self:
        if self.innotter_env == "production" and self.amqp_url == _DEVELOPMENT_AMQP_URL:
            raise ValueError("AMQP_URL must be set in production")
        return self


def load() -> Settings:
    """The settings of this process: its environment, then `.env` in the working directory.

    Ends the process with a sentence for each setting that makes no sense.
    """
    # Into the environment and not just into Settings, so that boto3 reads its settings there too.
    load_dotenv(".env")
    try:
        return Settings()
    except ValidationError as error:
        reasons = [
            f"{'.'.join(map(str, e['loc'])).upper()} {e['msg']}"
            for e in error.errors()
            # JWKS_URL's default, which follows from a CORE_URL that is named here already.
            if e["type"] != "default_factory_not_called"
        ]
        raise SystemExit("\n".join(["The settings are not valid:", *reasons])) from None
