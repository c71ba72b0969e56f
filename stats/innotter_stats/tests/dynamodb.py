from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Calls:
    """A client that remembers the calls made, and says so after each."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self.names: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name == "get_paginator":
            return lambda operation: Pages(self, operation)
        if not callable(found) or name == "exceptions":
            return found

        def call(**words: Any) -> Any:
            self.names.append(name)
            return found(**words)

        return call

    def pages(self, operation: str, **words: Any) -> Iterator[Any]:
        for page in self._client.get_paginator(cast(Any, operation)).paginate(**words):
            self.names.append(operation)
            yield page


class Pages:
    def __init__(self, calls: Calls, operation: str) -> None:
        self._calls = calls
        self._operation = operation

    def paginate(self, **words: Any) -> Iterator[Any]:
        return self._calls.pages(self._operation, **words)
