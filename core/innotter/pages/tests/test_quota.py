"""How many pages one user may own: PAGES_PER_USER."""

from typing import Any

import pytest

from innotter.accounts.models import User
from innotter.conftest import Api, at_once, new_page, new_user, no_trace, refusal
from innotter.pages.models import Page
from innotter.pages.services import TooManyPages, delete_page


def test_one_too_many_is_refused_and_one_that_goes_is_not_counted(
    api: Api, ann: User, settings: Any
) -> None:
    settings.PAGES_PER_USER = 2
    first, _ = new_page(ann), new_page(ann)
    with no_trace():
        assert refusal(api(ann).post("/pages", {"name": "x"})) == (409, "too_many_pages")
    delete_page(actor=ann, page=first)
    assert api(ann).post("/pages", {"name": "x"}).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_none_slips_by(settings: Any) -> None:
    settings.PAGES_PER_USER = 3
    ann = new_user("ann")

    def outcome() -> bool:
        try:
            return bool(new_page(ann))
        except TooManyPages:
            return False

    assert sorted(at_once(*[outcome] * 20)) == [False] * 17 + [True] * 3
    assert Page.objects.count() == 3
