"""A person at a client of their own, as tests write it."""

import math
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx

from dev.assertions import source
from dev.stack import Stack, manage

PASSWORD = "a quiet harbour 7"
# Seconds between a 503 and the next try of those who are patient.
PACE = 0.2


@dataclass
class Person:
    """Registered and logged in. Their name is their own in every test."""

    stack: Stack
    name: str
    token: str = field(default="", repr=False)
    # Asks again as long as the answer is 503: how often it was.
    patient: bool = False
    unavailable: int = 0
    _token_until: float = field(default=math.inf, repr=False)

    @classmethod
    def arrives(
        cls, stack: Stack, name: str, *, patient: bool = False, confirmed: bool = False
    ) -> "Person":
        """`confirmed`: has opened the link in the first mail, and so gets mail about pages."""
        person = cls(stack, f"{name}-{uuid4().hex[:8]}", patient=patient)
        person.post(
            "/auth/register",
            username=person.name,
            email=person.email,
            password=PASSWORD,
            expect=201,
        )
        person.log_in()
        if confirmed:
            person.post("/auth/email/confirm", token=person.link_to("/confirm/"), expect=204)
        return person

    def log_in(self) -> None:
        self.token, self._token_until = "", math.inf
        tokens = self.post("/auth/login", login=self.name, password=PASSWORD)
        self.token = tokens["access"]
        # Anew in good time, where a test takes longer than a token lives.
        self._token_until = time.monotonic() + tokens["expires_in"] / 2

    @property
    def email(self) -> str:
        return f"{self.name}@example.com"

    def get(self, path: str, *, expect: int = 200) -> Any:
        return self._call("GET", f"{self.stack.core_url}/api/v1{path}", expect)

    def post(self, path: str, *, expect: int = 200, **body: Any) -> Any:
        return self._call("POST", f"{self.stack.core_url}/api/v1{path}", expect, json=body)

    def delete(self, path: str, *, expect: int) -> Any:
        return self._call("DELETE", f"{self.stack.core_url}/api/v1{path}", expect)

    def statistics(self, uuid: str) -> httpx.Response:
        url = f"{self.stack.stats_url}/api/v1/pages/{uuid}/statistics"
        return httpx.get(url, headers=self._headers(), timeout=30)

    def new_page(self, **fields: Any) -> str:
        """The new page's uuid."""
        page = self.post("/pages", name=f"Page of {self.name}", expect=201, **fields)
        return str(page["uuid"])

    def inbox(self) -> list[dict[str, Any]]:
        """The mails about pages, oldest first."""
        mails = mails_to(self.stack, self.email)
        return [mail for mail in mails if "/unsubscribe/" in mail["BodyText"]]

    def link_to(self, path: str) -> str:
        """The token at the end of the newest link of that path in the mails, once there is one."""
        return token_in_mail(self.stack, self.email, path)

    def _call(self, method: str, url: str, expect: int, **options: Any) -> Any:
        headers = {**self._headers(), "Idempotency-Key": uuid4().hex}
        while True:
            answer = httpx.request(method, url, headers=headers, timeout=30, **options)
            if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE or not self.patient:
                break
            assert int(answer.headers["Retry-After"]) > 0
            self.unavailable += 1
            time.sleep(PACE)
        assert answer.status_code == expect, f"{method} {url}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def _headers(self) -> dict[str, str]:
        if time.monotonic() > self._token_until:
            self.log_in()
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def run(stack: Stack, *words: str) -> tuple[int, str]:
    """A command of Django's in the environment of the stack: its exit code, and what it says."""
    done = subprocess.run(
        manage(*words), env=stack.env, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr


def mails_to(stack: Stack, address: str) -> list[dict[str, Any]]:
    """The mails that SES has delivered to an e-mail address, oldest first."""
    accounts = httpx.get(f"{stack.env['AWS_ENDPOINT_URL']}/_ministack/ses/messages").json()
    return [
        mail for mails in accounts["messages"].values() for mail in mails if address in mail["To"]
    ]


def token_in_mail(stack: Stack, address: str, path: str) -> str:
    """Of the newest link of that path, once a mail has brought one."""

    def found() -> list[str]:
        texts = [str(mail["BodyText"]) for mail in mails_to(stack, address)]
        return re.findall(rf"{re.escape(path)}([\w-]+)", " ".join(texts))

    return eventually(found, len)[-1]


def totals(person: Person, uuid: str) -> dict[str, int]:
    """What is counted of the person's page; nothing before its first event has arrived."""
    answer = person.statistics(uuid)
    if answer.status_code == 404:
        return {}
    counts: dict[str, int] = answer.raise_for_status().json()["totals"]
    return counts


def eventually[T](read: Callable[[], T], holds: Callable[[T], object], *, seconds: float = 30) -> T:
    """What `read` gives once `holds` of it; fails with the last reading after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        value = read()
        if holds(value):
            return value
        answered = time.monotonic()
        assert answered < deadline, _late(value, holds, seconds)
        # What is dear to read takes no more than half of the machine from what it waits for.
        time.sleep(max(0.05, answered - asked))


def _late[T](value: T, holds: Callable[[T], object], seconds: float) -> str:
    return f"still {value!r} after {seconds} s, in place of what {source(holds)} asks for"
