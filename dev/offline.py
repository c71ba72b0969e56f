"""The environment of tools that only read the code: settings that can be imported, and reach
nothing. `make check`, `make migration`, mypy and an editor's mypy run in it."""

import os

ENVIRONMENT = {
    "INNOTTER_ENV": "test",
    "DATABASE_URL": "postgresql://check@127.0.0.1:1/check",
    "AMQP_URL": "amqp://check:check@127.0.0.1:1/%2F",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "SECRET_KEY": f"development-{'check-' * 8}",
    "SIGNING_KEYS_FILE": "/nonexistent/signing_keys.json",
    "CORE_URL": "http://localhost:8000",
    "STATISTICS_URL": "http://localhost:8001",
    "JWKS_URL": "http://localhost:8000/.well-known/jwks.json",
    "ALLOWED_HOSTS": "localhost",
    "MAIL_FROM": "innotter@example.com",
    "MEDIA_BUCKET": "innotter-media",
    "EXPORT_BUCKET": "innotter-exports",
    "STATISTICS_TABLE": "innotter-statistics",
}


def environment() -> dict[str, str]:
    return {**os.environ, **ENVIRONMENT}
