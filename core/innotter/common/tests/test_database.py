import pytest
from django.db import IntegrityError

from innotter.accounts.models import User
from innotter.common.database import conflicts
from innotter.common.errors import Conflict


def again(user: User) -> None:
    User(username=user.username, email="other@example.com").save(force_insert=True)


def test_breaking_a_named_constraint_is_the_conflict_that_was_named(ann: User) -> None:
    with pytest.raises(Conflict), conflicts({"user_username_unique": Conflict}):
        again(ann)
    # The transaction around it goes on.
    assert User.objects.count() == 1


def test_breaking_another_one_is_our_own_mistake(ann: User) -> None:
    with pytest.raises(IntegrityError), conflicts({"user_email_unique": Conflict}):
        again(ann)
