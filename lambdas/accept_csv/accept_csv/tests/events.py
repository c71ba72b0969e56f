"""Requests as API Gateway passes them to a function."""

import base64
from typing import Any

type Event = dict[str, Any]

CSV = "id,name\n1,Anna\n2,Борис\n".encode()


def rest(
    body: bytes | str = CSV,
    *,
    name: str | None = "people.csv",
    content_type: str | None = "text/csv",
    headers: dict[str, str] | None = None,
) -> Event:
    """Of a REST API (payload 1.0); bytes travel as base64, text as it is."""
    return {
        "resource": "/files",
        "path": "/files",
        "httpMethod": "POST",
        "headers": {**({"Content-Type": content_type} if content_type else {}), **(headers or {})},
        "multiValueHeaders": {"Content-Type": [content_type]},
        "queryStringParameters": None if name is None else {"name": name},
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"stage": "v1", "requestId": "c6af9ac6"},
        **_body(body),
    }


def http(
    body: bytes | str = CSV,
    *,
    name: str | None = "people.csv",
    content_type: str | None = "text/csv",
) -> Event:
    """Of an HTTP API (payload 2.0)."""
    event = {
        "version": "2.0",
        "routeKey": "POST /files",
        "rawPath": "/files",
        "rawQueryString": "" if name is None else f"name={name}",
        "headers": {"content-type": content_type} if content_type else {},
        "requestContext": {"http": {"method": "POST", "path": "/files"}},
        **_body(body),
    }
    if name is not None:
        event["queryStringParameters"] = {"name": name}
    return event


def form(*files: tuple[str, str, bytes], field: str = "") -> tuple[bytes, str]:
    """A form of files (name, media type, content) and its media type."""
    parts = [
        f'--frontier\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {media_type}\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, media_type, content in files
    ]
    if field:
        part = f'--frontier\r\nContent-Disposition: form-data; name="note"\r\n\r\n{field}\r\n'
        parts.insert(0, part.encode())
    return b"".join(parts) + b"--frontier--\r\n", "multipart/form-data; boundary=frontier"


def _body(body: bytes | str) -> Event:
    if isinstance(body, str):
        return {"body": body, "isBase64Encoded": False}
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
