import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any
from unittest.mock import ANY

import pytest

from innotter_contracts.events import METRICS
from innotter_contracts.ids import new_id
from innotter_stats import audit
from innotter_stats.store import Store
from innotter_stats.tests.builders import (
    DAY,
    NOON,
    blocked,
    leaving,
    liked,
    new_uuid,
    page_created,
    page_deleted,
    recounted,
    user_deleted,
)

type Done = subprocess.CompletedProcess[str]


def asked(table: str, *questions: object, words: list[str] | None = None) -> Done:
    return subprocess.run(
        [sys.executable, "-m", "innotter_stats.audit", *(words or [])],
        env={**os.environ, "STATISTICS_TABLE": table},
        input="".join(f"{json.dumps(question)}\n" for question in questions),
        capture_output=True,
        text=True,
        check=False,
    )


def answers(table: str, *questions: object) -> list[Any]:
    done = asked(table, *questions)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_line_is_answered_by_a_line_in_the_same_order(store: Store, table: str) -> None:
    page_id, uuid, owner, unknown = new_id(), new_uuid(), new_id(), new_id()
    first, second = liked(page_id), liked(page_id, at=NOON - timedelta(days=1))
    store.apply([page_created(page_id, uuid, owner=owner, name="Кофе"), first, second])
    page, event, nothing, other = answers(
        table,
        {"page": str(page_id)},
        {"event": str(first.id)},
        {"page": str(unknown)},
        {"event": str(unknown)},
    )
    zeros = dict.fromkeys(METRICS, 0)
    assert page == {
        "page": str(page_id),
        "uuid": uuid,
        "name": "Кофе",
        "owner_id": str(owner),
        "totals": {**zeros, "likes": 2},
        "days": {
            "2026-11-19": {**zeros, "likes": 1},
            "2026-11-20": {**zeros, "likes": 1},
        },
    }
    assert event == {"event": str(first.id), "counted": True}
    assert (nothing["uuid"], nothing["totals"], nothing["days"]) == (None, zeros, {})
    assert other == {"event": str(unknown), "counted": False}


def test_a_page_that_was_recounted_is_told_by_its_epoch(store: Store, table: str) -> None:
    page_id, uuid = new_id(), new_uuid()
    store.apply([liked(page_id), recounted(page_id, uuid, 1, {DAY: {"likes": 7}})])
    [page] = answers(table, {"page": str(page_id)})
    assert page["totals"]["likes"] == 7


def test_of_a_user_it_says_what_shuts_them_out(store: Store, table: str) -> None:
    boris, olga, ivan = new_id(), new_id(), new_id()
    store.apply([blocked(boris), leaving(olga), user_deleted(ivan)])
    assert answers(table, *({"user": str(user)} for user in (boris, olga, ivan, new_id()))) == [
        {"user": str(boris), "blocked": True, "leaving": False, "deleted": False},
        {"user": str(olga), "blocked": False, "leaving": True, "deleted": False},
        {"user": str(ivan), "blocked": False, "leaving": False, "deleted": True},
        {"user": ANY, "blocked": False, "leaving": False, "deleted": False},
    ]


def test_it_names_everybody_that_anything_is_stored_of_but_who_is_gone(
    store: Store, table: str
) -> None:
    page_id, user, gone, last = new_id(), new_id(), new_id(), new_id()
    store.apply([page_created(page_id, new_uuid()), liked(page_id), blocked(user)])
    store.apply([page_created(gone, new_uuid()), page_deleted(gone), user_deleted(last)])
    lines = asked(table, words=["all"]).stdout.splitlines()
    found = [json.loads(line) for line in lines]
    for named in ({"page": str(page_id)}, {"user": str(user)}):
        assert found.count(named) == 1
    for named in ({"page": str(gone)}, {"user": str(last)}):
        assert named not in found


@pytest.mark.parametrize("question", [{}, [], {"page": "x"}, {"user": "y"}, {"event": 5}])
def test_what_is_no_question_is_refused(store: Store, question: object) -> None:
    with pytest.raises(ValueError, match=r"names a page, a user or an event|badly formed"):
        list(audit.answers(store, [json.dumps(question)]))


def test_what_keeps_it_from_its_work_is_one_line(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = [asked(table, {"page": None}), asked(table, words=["every"])]
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    stopped.append(asked(table))
    for done, named in zip(stopped, ("Not a question", "[all]", "region"), strict=True):
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
        assert named in done.stderr


def test_without_the_table_it_fails() -> None:
    missing = f"missing-{new_id()}"
    for done in (asked(missing, {"page": str(new_id())}), asked(missing, words=["all"])):
        assert (done.returncode, done.stdout) == (1, "")
        assert "The table does not answer" in done.stderr
