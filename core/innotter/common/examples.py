"""What stands in the examples of the OpenAPI document: a value for each name of a field."""

from typing import Any

REQUESTS: dict[str, Any] = {
    "username": "ann",
    "email": "ann@example.com",
    "login": "ann",
    "password": "a quiet harbour 7",
    "current_password": "a noisy harbour 7",
    "title": "Ann of the harbour",
    "challenge": "of-32-random-bytes-in-base64url",
    "code": "492039",
    "rawId": "the-id-of-the-credential-in-base64url",
    "type": "public-key",
    "response": {
        "clientDataJSON": "in-base64url",
        "attestationObject": "of-a-new-passkey",
        "authenticatorData": "of-a-passkey-in-use",
        "signature": "of-a-passkey-in-use",
    },
    "refresh": "the-refresh-token-of-the-last-answer",
    "email_notifications": "daily",
    "language": "en",
    "time_zone": "Europe/Riga",
    "digest_hour": 8,
    "login_notifications": True,
    "uuid": "harbour",
    "name": "The harbour",
    "description": "What comes in and what goes out.",
    "tags": ["boats", "fog"],
    "is_private": False,
    "content": "Fog over the harbour.",
    "usernames": ["bob", "eve"],
    "until": "2030-01-01T00:00:00Z",
    "reason": "Advertising.",
    "role": "moderator",
    "image": "(the bytes of face.png)",
    "invite": "Zm9nLWhvcm4",
    "uses": 10,
    "expires_at": "2030-01-01T00:00:00Z",
}
ANSWERS: dict[str, Any] = {
    **REQUESTS,
    "access": "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.e30.c2lnbmF0dXJl",
    "type": "page",
    "token_type": "Bearer",
    "expires_in": 600,
    "role": "user",
    "is_blocked": False,
    "unblock_date": None,
    "is_owner": False,
    "liked": True,
    "image": "https://media.example.com/4f1c/large.webp",
    "user_agent": "Mozilla/5.0",
    "device": "Firefox on Linux",
    "network": "203.0.113.0/24",
    "mail_suppressed": False,
    "everything": False,
    "code": "Zm9nLWhvcm4",
    "made_by": "ann",
    "used": 3,
    "confirmed_at": "2029-12-31T12:00:00Z",
    "next": None,
    "previous": None,
}
# Of what has no name of its own here.
FORMATS = {
    "uuid": "01a214ad-472d-7020-a994-754279033979",
    "date-time": "2026-11-25T09:30:00.000000Z",
    "uri": "https://innotter.example.com/",
}
# What a component calls otherwise than the others do.
COMPONENTS = {"Tag": {"name": "boats"}}
# A hit is a page or a user.
NOT_BOTH = {"user"}
TYPES = {"string": "text", "integer": 3, "boolean": True, "null": None, "object": {}}

type Schema = dict[str, Any]


def with_answers(result: Schema, **_: Any) -> Schema:
    """A hook of drf-spectacular: each answer that succeeds in JSON gets an example, made of its
    schema."""
    components = result["components"]["schemas"]
    for path in result["paths"].values():
        for operation in path.values():
            for status, answer in operation["responses"].items():
                content = answer.get("content", {}).get("application/json")
                if content and status.startswith("2"):
                    content["example"] = example_of(content["schema"], components)
    return result


def example_of(schema: Schema, components: dict[str, Schema], name: str = "") -> Any:
    """A value that the schema allows."""
    for key in ("allOf", "oneOf", "anyOf"):
        if key in schema:
            return example_of(schema[key][0], components, name)
    if "$ref" in schema:
        reference = schema["$ref"].rpartition("/")[2]
        value = example_of(components[reference], components, name)
        return {**value, **COMPONENTS[reference]} if reference in COMPONENTS else value
    if name in ANSWERS:
        return ANSWERS[name]
    if "properties" in schema:
        left_out = NOT_BOTH - set(schema.get("required", []))
        return {
            field: example_of(each, components, field)
            for field, each in schema["properties"].items()
            if field not in left_out
        }
    if "items" in schema:
        return [example_of(schema["items"], components)]
    return _plain(schema)


def _plain(schema: Schema) -> Any:
    """Of what is neither an object nor a list."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema["type"][0] if isinstance(schema["type"], list) else schema["type"]
    return FORMATS.get(schema.get("format", ""), TYPES[kind])
