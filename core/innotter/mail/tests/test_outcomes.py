import pytest
from django.db import connection

from innotter.accounts.models import User
from innotter.conftest import new_user
from innotter.mail import outcomes


@pytest.mark.django_db(transaction=True)
def test_what_ses_has_said_is_written_again_where_the_primary_takes_no_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("innotter.mail.outcomes.time.sleep", lambda _: None)
    new_user("ann")
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    tried: list[str] = []

    def write() -> None:
        tried.append("again")
        User.objects.update(title="Ann")

    outcomes.persist(write)
    assert (len(tried), User.objects.get().title) == (2, "Ann")
