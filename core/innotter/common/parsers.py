from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class Utf8JSONParser(JSONParser):
    """JSON in UTF-8 (RFC 8259); a charset in the Content-Type is ignored."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Raises ParseError for a body that is none, or nested too deep for anybody to mean it."""
        try:
            return super().parse(stream, media_type, {"encoding": "utf-8"})
        except RecursionError:
            raise ParseError("The JSON is nested too deep.") from None


class AnyJSONParser(Utf8JSONParser):
    """JSON under any Content-Type: Amazon SNS sends text/plain."""

    media_type = "*/*"
