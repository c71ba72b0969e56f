"""The people of the demo data, their pages and what they write, as the TOML files tell it."""

import tomllib
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

FILES = {"en": "english.toml", "ru": "russian.toml"}


class PageText(BaseModel):
    model_config = ConfigDict(extra="forbid")

    uuid: str
    name: str
    description: str
    tags: list[str]
    # How much likelier than a page with 1 it is to be followed.
    popularity: float = 1
    # Usernames: a private page has members and requests that wait; a public one is followed
    # as chance will have it.
    is_private: bool = False
    members: list[str] = []
    waiting: list[str] = []
    # Oldest first. Each is a post and then its replies, "page: text": see `replies_in`.
    posts: list[list[str]]


class PersonText(BaseModel):
    model_config = ConfigDict(extra="forbid")

    username: str
    title: str
    # How many public pages they follow; chance decides where it is not said.
    follows: int | None = None
    pages: list[PageText]
    language: str


class ReplyText(NamedTuple):
    # The uuid of the page that it is written on.
    page: str
    content: str
    # The reply of the thread that it answers, by number; None: the post itself.
    answers: int | None


def read_people() -> list[PersonText]:
    folder = Path(__file__).parent
    return [
        PersonText(language=language, **person)
        for language, name in FILES.items()
        for person in tomllib.loads((folder / name).read_text(encoding="utf-8"))["people"]
    ]


def replies_in(page: PageText, thread: list[str]) -> list[ReplyText]:
    """The page's own reply answers what stands before it, another page's answers the post."""
    replies = []
    for number, line in enumerate(thread[1:]):
        by, _, content = line.partition(": ")
        answers = number - 1 if by == page.uuid and number > 0 else None
        replies.append(ReplyText(by, content, answers))
    return replies
