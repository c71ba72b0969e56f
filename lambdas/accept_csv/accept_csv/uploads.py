"""The file in a request of API Gateway: its name, its media type, its bytes."""

import base64
import io
import re
from http import HTTPStatus
from typing import Any, NamedTuple

from multipart import MultipartError, MultipartParser, parse_options_header

from accept_csv.problems import Refused

type Event = dict[str, Any]

# Where a decoder could not read a character, it put this.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Upload(NamedTuple):
    # As the client calls the file, without folders.
    name: str
    # With its parameters; empty where the client said nothing.
    content_type: str
    content: bytes


def upload_in(event: Event) -> Upload:
    """Takes the events of REST APIs and of HTTP APIs (payload 1.0 and 2.0).

    A form (multipart) brings the file in its one part that has a file name. Any other body
    is the file itself, and its name is in the query: `?name=people.csv`.
    """
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    content_type = headers.get("content-type") or ""
    body = _body(event)
    if "content-encoding" in headers:
        raise Refused(
            "unsupported_content_encoding",
            "Send the file as it is, without Content-Encoding.",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    media_type, options = parse_options_header(content_type)
    if media_type == "multipart/form-data":
        return _upload_in_form(body, options.get("boundary", ""))
    query = event.get("queryStringParameters") or {}
    return Upload(_base_name(query.get("name") or ""), content_type, body)


def _body(event: Event) -> bytes:
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            return base64.b64decode(body, validate=True)
        except ValueError:
            raise Refused("malformed_request", "The body is not valid base64.") from None
    # Text has been decoded on the way: what was not UTF-8 is gone already.
    if REPLACEMENT in body:
        raise Refused("not_utf8", "The file is not UTF-8. Save it as UTF-8 and send it again.")
    # Half a character, which JSON can hold, stays what it is: no UTF-8.
    return bytes(body.encode(errors="surrogatepass"))


def _upload_in_form(body: bytes, boundary: str) -> Upload:
    limit = len(body) + 1
    try:
        parts = MultipartParser(
            io.BytesIO(body), boundary, strict=True, spool_limit=limit, memory_limit=limit
        ).parts()
        # As the browser sends a form in which no file was chosen, the name is empty.
        files = [part for part in parts if part.filename]
    except (MultipartError, UnicodeError) as error:
        raise Refused("malformed_request", f"The form cannot be read: {error}.") from None
    if len(files) != 1:
        raise Refused("one_file_expected", f"The form has {len(files)} files; send exactly one.")
    [file] = files
    content_type = file.headers.get("Content-Type") or ""
    return Upload(_base_name(file.filename or ""), content_type, file.raw)


def _base_name(name: str) -> str:
    """Without folders, and without halves of characters, which nobody could store."""
    return re.split(r"[/\\]", name)[-1].strip().encode(errors="replace").decode()
