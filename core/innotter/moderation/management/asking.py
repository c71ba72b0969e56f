import sys
from getpass import getpass

from django.core.management.base import CommandError


def ask_for_password() -> str:
    """Of the terminal, twice; else the first line of standard input. Raises CommandError."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass("Password: ")
    if getpass("Again: ") != password:
        raise CommandError("That was another password.")
    return password
