"""Addresses of pages and people that have other names by now lead on."""

import pytest
from django.test import Client

from innotter.accounts.models import User
from innotter.accounts.services import edit_user
from innotter.conftest import CLIENT, signed_in
from innotter.pages.models import Page
from innotter.pages.services import edit_page
from innotter.posts.models import Post


@pytest.mark.parametrize("rest", ["", "?from=mail", "/followers", ".atom"])
def test_a_page_s_old_address_leads_on(page: Page, rest: str) -> None:
    edit_page(actor=page.owner, page=page, uuid="anna")
    answer = Client().get(f"/@Ann{rest}")
    assert (answer.status_code, answer["Location"]) == (301, f"/@anna{rest}")


def test_and_so_does_a_post_s_in_an_old_mail(page: Page, post: Post) -> None:
    edit_page(actor=page.owner, page=page, uuid="anna")
    answer = Client().get(f"/@ann/{post.id}")
    assert (answer.status_code, answer["Location"]) == (301, f"/@anna/{post.id}")


def test_and_a_person_s(ann: User) -> None:
    browser = signed_in(ann)
    form = {"part": "username", "username": "anna"}
    assert browser.post("/settings", form)["Location"] == "/settings#username"
    answer = Client().get("/u/ann")
    assert (answer.status_code, answer["Location"]) == (301, "/u/anna")


def test_nowhere_where_the_one_who_asks_may_not_go(page: Page) -> None:
    edit_page(actor=page.owner, page=page, uuid="anna")
    edit_user(actor=page.owner, client=CLIENT, username="anna")
    User.objects.filter(pk=page.owner_id).update(is_blocked=True)
    assert Client().get("/@ann").status_code == 404
    assert Client().get("/u/ann").status_code == 404


def test_a_refused_username_is_said_beside_its_field(ann: User, eve: User) -> None:
    answer = signed_in(ann).post("/settings", {"part": "username", "username": "Eve"})
    assert "This username is taken." in answer.content.decode()
