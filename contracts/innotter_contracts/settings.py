"""What the settings of both services have in common: URLs that mean something, and how a process
ends where they don't."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from dotenv import load_dotenv
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

HOST = r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])"
_ORIGIN = re.compile(rf"https?://{HOST}(?::(?P<port>\d+))?/?")
# Without a query or a password, and without what would end a word of a Content-Security-Policy.
_HTTP_URL = re.compile(rf"{_ORIGIN.pattern}(?:[A-Za-z0-9._~%/-]+)?")
_AMQP_URL = re.compile(rf"amqps?://(?:[^\s@/;]*@)?{HOST}(?::(?P<port>\d+))?(?:/[^\s;]*)?")
# Before the URL of another node: a comma may be part of a password.
_NEXT_NODE = re.compile(r"[,;](?=amqps?://)")
_HIGHEST_PORT = 65_535


def is_port(text: str) -> bool:
    return text.isdecimal() and 1 <= int(text) <= _HIGHEST_PORT


def is_url(pattern: re.Pattern[str], url: str) -> bool:
    """Whether the pattern, which has a group `port`, takes all of it."""
    found = pattern.fullmatch(url)
    return found is not None and is_port(found["port"] or "1")


def _http_url(url: str) -> str:
    if not is_url(_HTTP_URL, url):
        raise ValueError("must be an http or https URL, its host in ASCII (xn--…)")
    return url.rstrip("/")


def _origin(url: str) -> str:
    if not is_url(_ORIGIN, url):
        raise ValueError(
            "must be http:// or https:// and a host in ASCII (xn--…), without a path: "
            "https://innotter.example.com"
        )
    return url.rstrip("/")


def amqp_url(urls: str) -> str:
    """One URL for each node of a broker, as kombu takes them: the next is tried where one is away.
    Raises ValueError."""
    nodes = _NEXT_NODE.split(urls)
    if not all(is_url(_AMQP_URL, node) for node in nodes):
        raise ValueError(
            "must be of the form amqp://user:password@host:port/vhost, or several of them, "
            "separated by commas"
        )
    return ";".join(nodes)


def listed(words: Any) -> Any:
    """What stands between commas, without the spaces around it."""
    if isinstance(words, str):
        return [word.strip() for word in words.split(",") if word.strip()]
    return words


def _none(text: object) -> object:
    """Of `none` and of nothing: AWS itself."""
    return None if text in ("", "none") else text


type HttpUrl = Annotated[str, AfterValidator(_http_url)]
type EndpointUrl = Annotated[HttpUrl | None, BeforeValidator(_none)]
# What a browser calls so: a scheme, a host and perhaps a port.
type Origin = Annotated[str, AfterValidator(_origin)]
type AmqpUrl = Annotated[str, AfterValidator(amqp_url)]
type PortNumber = Annotated[int, Field(ge=1, le=_HIGHEST_PORT)]
type LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


def loaded[S](settings: Callable[[], S]) -> S:
    """From the environment of this process, then `.env` in the working directory.

    Ends the process with a line for each setting that makes no sense.
    """
    # Into the process and not just into the settings: boto3 reads its AWS_* variables there.
    load_dotenv(".env")
    try:
        return settings()
    except ValidationError as error:
        raise refused(error) from None


def refused(error: ValidationError) -> SystemExit:
    """The end of a process whose settings make no sense: a line for each of them, by name, and
    never with its value, which may be secret."""
    lines = [
        f"{_name(each['loc'])} {_reason(each['msg'])}"
        for each in error.errors()
        # A default that follows from a setting that is named here already.
        if each["type"] != "default_factory_not_called"
    ]
    return SystemExit("\n".join(["The settings are not valid:", *dict.fromkeys(lines)]))


def _name(place: tuple[int | str, ...]) -> str:
    """Of the variable, also where one word of a list is wrong."""
    return str(place[0]).upper() if place else ""


def _reason(message: str) -> str:
    """In pydantic's words or ours."""
    return {"Field required": "must be set"}.get(message, message.removeprefix("Value error, "))
