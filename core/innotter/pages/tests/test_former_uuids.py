"""A page's uuid may change; the one before stays its owner's for 90 days."""

from datetime import timedelta

import pytest
from django.utils import timezone

from innotter.accounts.models import User
from innotter.common.errors import DomainError
from innotter.common.reserved import MOST_FORMER
from innotter.conftest import Api, at_once, new_page, new_user, no_trace, refusal
from innotter.pages.models import FormerUuid, Page
from innotter.pages.names import prune_uuids
from innotter.pages.services import create_page, delete_page, edit_page


def rename(page: Page, uuid: str) -> Page:
    return edit_page(actor=page.owner, page=page, uuid=uuid)


def test_a_page_is_found_by_the_new_uuid_alone(api: Api, page: Page) -> None:
    rename(page, "anna")
    assert api().get("/pages/anna").json()["id"] == str(page.id)
    assert refusal(api().get("/pages/ann")) == (404, "not_found")


def test_nobody_but_its_owner_gets_a_uuid_that_was_given_up(
    api: Api, ann: User, page: Page, eve: User
) -> None:
    rename(page, "anna")
    with no_trace():
        answer = api(eve).post("/pages", {"name": "Not Ann", "uuid": "ANN"})
        assert refusal(answer) == (409, "uuid_taken")
    assert create_page(actor=ann, name="Another", uuid="ann").uuid == "ann"
    assert not FormerUuid.objects.exists()


def test_after_90_days_it_is_free(page: Page, eve: User) -> None:
    rename(page, "anna")
    FormerUuid.objects.update(reserved_until=timezone.now() - timedelta(seconds=1))
    assert create_page(actor=eve, name="Eve", uuid="ann").uuid == "ann"
    rename(page, "annika")
    FormerUuid.objects.update(reserved_until=timezone.now() - timedelta(seconds=1))
    assert prune_uuids() == 1


def test_uuids_are_not_collected(api: Api, ann: User, page: Page) -> None:
    for n in range(MOST_FORMER):
        rename(page, f"ann{n}")
    with no_trace():
        answer = api(ann).patch(f"/pages/ann{MOST_FORMER - 1}", {"uuid": "one-more"})
        assert refusal(answer) == (409, "too_many_names")
    assert rename(page, "ann").uuid == "ann"


def test_a_page_s_former_uuids_go_with_it(page: Page, eve: User) -> None:
    rename(page, "anna")
    delete_page(actor=page.owner, page=page)
    assert create_page(actor=eve, name="Eve", uuid="ann").uuid == "ann"


@pytest.mark.django_db(transaction=True)
def test_who_comes_for_a_uuid_while_it_is_given_up_does_not_get_it() -> None:
    ann, eve = new_user("ann"), new_user("eve")
    page = new_page(ann, uuid="ann")

    def outcome(take: object) -> str:
        try:
            made = rename(page, "anna") if take else new_page(eve, uuid="ann")
            return made.uuid
        except DomainError as error:
            return error.code

    others = [lambda: outcome(None) for _ in range(9)]
    assert at_once(lambda: outcome(page), *others) == ["anna"] + ["uuid_taken"] * 9
