"""A username may change; the one before stays its owner's for 90 days."""

from datetime import timedelta

import pytest
from django.utils import timezone

from innotter.accounts.models import FormerUsername, User
from innotter.accounts.names import claim_username, prune_names, reserve_username
from innotter.accounts.services import edit_user
from innotter.common.errors import DomainError
from innotter.common.reserved import MOST_FORMER
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    Api,
    at_once,
    bad_fields,
    new_user,
    no_trace,
    refusal,
)


def rename(user: User, username: str) -> User:
    return edit_user(actor=user, client=CLIENT, username=username)


def test_a_user_is_found_by_the_new_name_alone(api: Api, ann: User) -> None:
    answer = api(ann).patch("/users/me", {"username": "Anna"})
    assert answer.json()["username"] == "Anna"
    assert api().get("/users/anna").json()["id"] == str(ann.id)
    assert refusal(api().get("/users/ann")) == (404, "not_found")


def test_nobody_else_gets_a_name_that_was_given_up(api: Api, ann: User, eve: User) -> None:
    rename(ann, "anna")
    with no_trace():
        assert refusal(api(eve).patch("/users/me", {"username": "Ann"})) == (409, "username_taken")
        newcomer = {"username": "ANN", "email": "other@example.com", "password": PASSWORD}
        assert refusal(api().post("/auth/register", newcomer)) == (409, "username_taken")
    assert rename(ann, "ann").username == "ann"
    assert list(FormerUsername.objects.values_list("username", flat=True)) == ["anna"]


def test_after_90_days_it_is_free(ann: User, eve: User) -> None:
    rename(ann, "anna")
    FormerUsername.objects.update(reserved_until=timezone.now() - timedelta(seconds=1))
    assert rename(eve, "ann").username == "ann"
    rename(ann, "annika")
    FormerUsername.objects.update(reserved_until=timezone.now() - timedelta(seconds=1))
    assert prune_names() == 2
    assert not FormerUsername.objects.exists()


def test_other_letter_case_is_the_same_name(ann: User) -> None:
    assert rename(ann, "ANN").username == "ANN"
    assert not FormerUsername.objects.exists()


def test_names_are_not_collected(api: Api, ann: User) -> None:
    for n in range(MOST_FORMER):
        rename(ann, f"ann{n}")
    with no_trace():
        answer = api(ann).patch("/users/me", {"username": "one-more"})
        assert refusal(answer) == (409, "too_many_names")
    assert rename(ann, "ann").username == "ann"


@pytest.mark.parametrize("name", ["root", "me", "a b", "", "x" * 31])
def test_a_name_that_nobody_may_have_is_refused(api: Api, ann: User, name: str) -> None:
    with no_trace():
        assert bad_fields(api(ann).patch("/users/me", {"username": name})) == ["username"]


def test_a_reserved_name_that_an_operator_gave_is_taken_back(admin: User) -> None:
    rename(admin, "anna")
    assert rename(admin, "admin").username == "admin"


def test_a_name_of_somebody_who_is_gone_is_nobody_s(ann: User) -> None:
    reserve_username("Gone", user=None)
    with pytest.raises(DomainError, match="taken"):
        claim_username("gone", user=ann)


@pytest.mark.django_db(transaction=True)
def test_who_comes_for_a_name_while_it_is_given_up_does_not_get_it() -> None:
    ann, eve = new_user("ann"), new_user("eve")

    def outcome(user: User, name: str) -> str:
        try:
            return rename(user, name).username
        except DomainError as error:
            return error.code

    others = [lambda: outcome(eve, "ann") for _ in range(9)]
    results = at_once(lambda: outcome(ann, "anna"), *others)
    assert results == ["anna"] + ["username_taken"] * 9
