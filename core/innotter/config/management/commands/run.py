from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from innotter.common.metrics import count_as
from innotter.config.roles import ROLES, api, import_all
from innotter_contracts.roles import run_roles


class Command(BaseCommand):
    help = "Runs roles of the core until SIGTERM: one in this process, several in forks of it."
    # They import all routes, of which most roles know nothing.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "roles", nargs="+", choices=ROLES, metavar="ROLE", help=", ".join(ROLES)
        )
        parser.add_argument("--host", default="127.0.0.1", help="of the API")
        parser.add_argument("--port", type=int, default=8000, help="of the API")

    def handle(self, *args: Any, roles: list[str], host: str, port: int, **options: Any) -> None:
        known: dict[str, Callable[[], None]] = {**ROLES, "api": partial(api, host, port)}
        if len(roles) == 1:
            known[roles[0]]()
            return
        import_all()
        run_roles({role: partial(_begin, role, known[role]) for role in roles})


def _begin(name: str, role: Callable[[], None]) -> None:
    count_as(list(ROLES).index(name))
    role()
