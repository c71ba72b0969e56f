"""Everything that the environment decides about this service, checked before it starts.

boto3 reads the AWS_* variables itself.
"""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from innotter_contracts.settings import (
    AmqpUrl,
    EndpointUrl,
    HttpUrl,
    LogLevel,
    Origin,
    PortNumber,
    listed,
    loaded,
)

_DEVELOPMENT_AMQP_URL = "amqp://guest:guest@localhost:5672//"


type Listed = Annotated[list[str], NoDecode, BeforeValidator(listed)]


class Settings(BaseSettings):
    # The input stays out of the messages: AMQP_URL holds a password.
    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    innotter_env: Literal["development", "test", "production"] = "development"
    log_style: Literal["json", "console"] = "json"
    log_level: LogLevel = "INFO"

    # Where this process serves what it counts; nowhere without a port.
    metrics_host: str = "127.0.0.1"
    metrics_port: PortNumber | None = None

    # The core's public URL. Tokens must name exactly this as their issuer.
    core_url: Origin = "http://localhost:8000"
    # Apart from core_url, because this service may reach the core at another URL than people do.
    jwks_url: HttpUrl = Field(
        default_factory=lambda data: f"{data['core_url']}/.well-known/jwks.json"
    )

    # Host names that this service answers to, separated by commas.
    allowed_hosts: Listed = ["localhost", "127.0.0.1", "[::1]"]
    # Other origins whose pages may read the answers; none unless named.
    cors_origins: Listed = []

    # Read by boto3; here it is looked at before anything starts.
    aws_endpoint_url: EndpointUrl = None
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
    """Ends the process with a line for each setting that makes no sense."""
    return loaded(Settings)
