"""Who writes and reads under the load."""

import asyncio
from dataclasses import dataclass
from itertools import cycle

import httpx

PASSWORD = "a quiet harbour 7"
AUTHORS, READERS, WANDERERS, QUIET_PAGES = 3, 2, 2, 4
# An access token lives for ten minutes.
TOKEN_SECONDS = 240


@dataclass
class Person:
    """`page`: of an author, the uuid of their page."""

    name: str
    token: str = ""
    page: str = ""

    @property
    def email(self) -> str:
        return f"{self.name}@example.com"


@dataclass(frozen=True)
class People:
    """Authors write, readers follow all of them, like and get mail, wanderers follow and unfollow
    pages on which nobody writes."""

    authors: list[Person]
    readers: list[Person]
    wanderers: list[Person]
    quiet_pages: list[str]

    @property
    def pages(self) -> list[str]:
        return [author.page for author in self.authors]

    async def stay_logged_in(self, client: httpx.AsyncClient) -> None:
        """Until it is cancelled; one after the other, so that it is no load of its own."""
        everybody = [*self.authors, *self.readers, *self.wanderers]
        for person in cycle(everybody):
            await asyncio.sleep(TOKEN_SECONDS / len(everybody))
            try:
                await log_in(client, person)
            except httpx.HTTPError:
                # The old one is good for a while yet: at the next turn.
                continue


async def arrive(client: httpx.AsyncClient) -> People:
    """Raises httpx.HTTPError: nothing is lost yet while they come."""
    authors = [await _register(client, f"author{number}") for number in range(AUTHORS)]
    readers = [await _register(client, f"reader{number}") for number in range(READERS)]
    wanderers = [await _register(client, f"wanderer{number}") for number in range(WANDERERS)]
    for author in authors:
        author.page = await _new_page(client, author)
        for reader in readers:
            await _post(client, f"/pages/{author.page}/follow", reader)
    quiet = [await _new_page(client, authors[0]) for _ in range(QUIET_PAGES)]
    return People(authors, readers, wanderers, quiet)


async def log_in(client: httpx.AsyncClient, person: Person) -> None:
    given = {"login": person.name, "password": PASSWORD}
    person.token = (await _post(client, "/auth/login", None, given))["access"]


async def _register(client: httpx.AsyncClient, name: str) -> Person:
    person = Person(name)
    given = {"username": name, "email": person.email, "password": PASSWORD}
    await _post(client, "/auth/register", None, given)
    await log_in(client, person)
    return person


async def _new_page(client: httpx.AsyncClient, owner: Person) -> str:
    page = await _post(client, "/pages", owner, {"name": f"Page of {owner.name}"})
    return str(page["uuid"])


async def _post(
    client: httpx.AsyncClient, path: str, who: Person | None, body: dict[str, str] | None = None
) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {who.token}"} if who else {}
    response = await client.post(f"/api/v1{path}", headers=headers, json=body)
    response.raise_for_status()
    found: dict[str, str] = response.json() if response.content else {}
    return found
