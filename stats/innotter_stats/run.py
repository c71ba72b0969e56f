"""`python -m innotter_stats.run ROLE…`: one role of this service, or several, until SIGTERM.

`api` serves the statistics, `consumer` counts what waits in the queue. One runs in this process.
Both are forked from one that has prepared them, and the metrics of `consumer` are at the port that
follows METRICS_PORT.
"""
# ruff: noqa: PLC0415 (one role doesn't import what the other needs)

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from innotter_contracts.roles import run_roles
from innotter_stats import settings
from innotter_stats.settings import Settings
from innotter_stats.store import StoreUnavailable, create_client

type Role = Callable[[], None]


def api(config: Settings, words: Namespace) -> Role:
    from uvicorn import Config

    from innotter_stats.api import create_app
    from innotter_stats.server import Protocol, Server

    server = Server(
        Config(
            create_app(config),
            http=Protocol,
            host=words.host,
            port=words.port,
            # Its image has no other. Where the core has its own in the same environment, that stays
            # the core's.
            loop="asyncio",
            # After SIGTERM it takes no new request and finishes those that it has.
            timeout_graceful_shutdown=25,
            server_header=False,
        )
    )

    def serve() -> None:
        server.run()
        if not server.started:
            # It has said why.
            raise SystemExit(1)

    return serve


def consumer(config: Settings, _: Namespace) -> Role:
    from innotter_stats.consumer import consume

    return partial(consume, config)


ROLES = {"api": api, "consumer": consumer}


def main() -> None:
    parser = ArgumentParser("python -m innotter_stats.run")
    parser.add_argument("roles", nargs="+", choices=ROLES, metavar="ROLE", help=", ".join(ROLES))
    parser.add_argument("--host", default="127.0.0.1", help="of the API")
    parser.add_argument("--port", type=int, default=8001, help="of the API")
    words = parser.parse_args()
    config = settings.load()
    if len(words.roles) == 1:
        ROLES[words.roles[0]](config, words)()
        return
    # What boto3 reads of DynamoDB it keeps. A role that gets no client says so.
    with suppress(StoreUnavailable):
        create_client()
    run_roles({name: ROLES[name](_of(name, config), words) for name in words.roles})


def _of(name: str, config: Settings) -> Settings:
    """With a port of its own for its metrics."""
    if config.metrics_port is None:
        return config
    port = config.metrics_port + list(ROLES).index(name)
    return config.model_copy(update={"metrics_port": port})


if __name__ == "__main__":
    main()
