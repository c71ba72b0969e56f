"""A migration that would lock a table, or take away what still runs, is named, with what to do."""

from typing import Any

import pytest
from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import migrations, models
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.functions import Lower, Now

from dev import online_migrations
from dev.online_migrations import objections

TITLE = models.CharField(max_length=9)
INDEX = models.Index(fields=["title"], name="book_title")
CHECK = models.CheckConstraint(condition=models.Q(title__gt=""), name="book_has_title")
UNIQUE = models.UniqueConstraint(fields=["title"], name="book_title_unique")


def against(*operations: Operation, atomic: bool = True) -> list[str]:
    """What is said of a migration of an app that has shelves and books."""
    state = ProjectState()
    columns: list[tuple[str, Any]] = [("id", models.UUIDField(primary_key=True)), ("title", TITLE)]
    migrations.CreateModel("Shelf", columns[:1]).state_forwards("library", state)
    columns.append(("shelf_id", models.UUIDField(null=True, db_index=True)))
    migrations.CreateModel("Book", columns).state_forwards("library", state)
    written = type("Migration", (Migration,), {"operations": operations, "atomic": atomic})
    return objections(written("0002_more", "library"), state)


def added(field: Any) -> Operation:
    return migrations.AddField("book", "added", field)


def altered(field: Any, name: str = "title") -> Operation:
    return migrations.AlterField("book", name, field)


def key(**options: Any) -> Any:
    return models.ForeignKey("library.Shelf", models.CASCADE, **options)


REFUSED = [
    # What the version that still runs can't live with.
    (added(models.CharField(max_length=9)), "null=True"),
    # Django drops a default of Python's as soon as old rows have it.
    (added(models.CharField(max_length=9, default="")), "null=True"),
    (migrations.RemoveField("book", "title"), "release after"),
    (migrations.RenameField("book", "title", "name"), "new column"),
    (migrations.RenameModel("Book", "Volume"), "db_table"),
    (migrations.DeleteModel("Book"), "release after"),
    (migrations.AlterModelTable("Book", "books"), "nobody has said"),
    # What holds a lock while it looks at all rows.
    (migrations.AddIndex("book", INDEX), "AddIndexConcurrently"),
    (migrations.RemoveIndex("book", "book_title"), "RemoveIndexConcurrently"),
    (migrations.AddConstraint("book", CHECK), "AddConstraintNotValid"),
    (migrations.AddConstraint("book", UNIQUE), "UNIQUE INDEX CONCURRENTLY"),
    (migrations.AlterUniqueTogether("book", {("id", "title")}), "nobody has said"),
    (added(models.UUIDField(db_default=models.Func(function="gen_random_uuid"))), "computed"),
    (added(models.CharField(max_length=9, null=True, unique=True)), "UNIQUE INDEX CONCURRENTLY"),
    (added(models.CharField(max_length=9, null=True, db_index=True)), "AddIndexConcurrently"),
    (added(models.PositiveIntegerField(null=True)), "CHECK"),
    (added(key(null=True)), "AddIndexConcurrently"),
    (added(key(db_default="x", db_index=False)), "with a default"),
    (
        added(
            models.GeneratedField(
                expression=Lower("title"), output_field=models.TextField(), db_persist=True
            )
        ),
        "generated",
    ),
    (altered(models.CharField(max_length=8)), "another type"),
    (altered(models.IntegerField()), "another type"),
    (altered(models.CharField(max_length=9, db_collation="C")), "another type"),
    (altered(models.CharField(max_length=9, unique=True)), "UNIQUE INDEX CONCURRENTLY"),
    (altered(models.UUIDField(db_index=True), "shelf_id"), "NOT NULL"),
    (altered(models.UUIDField(null=True), "shelf_id"), "DROP INDEX CONCURRENTLY"),
    (altered(key(null=True, db_column="shelf_id"), "shelf_id"), "foreign key"),
    (migrations.RunPython(migrations.RunPython.noop), "atomic = False"),
    # By hand.
    (migrations.RunSQL("UPDATE library_book SET title = ''"), "RunPython"),
    (migrations.RunSQL([("DELETE FROM library_book WHERE title = %s", [""])]), "RunPython"),
    (migrations.RunSQL("-- all\nTRUNCATE library_book"), "waiting"),
    (migrations.RunSQL("CREATE INDEX i ON library_book (title)"), "concurrent-index-creation"),
    (migrations.RunSQL("DROP INDEX i"), "concurrent-index-deletion"),
    (migrations.RunSQL("ALTER TABLE library_book ADD CHECK (title > '')"), "not-valid"),
    (migrations.RunSQL("ALTER TABLE library_book ALTER title SET NOT NULL"), "not-nullable"),
    (migrations.RunSQL("ALTER TABLE library_book ALTER title TYPE text"), "column-type"),
    (migrations.RunSQL("ALTER TABLE library_book RENAME title TO name"), "renaming"),
]


@pytest.mark.parametrize(("operation", "instead"), REFUSED)
def test_what_is_not_online_is_refused(operation: Operation, instead: str) -> None:
    [said] = against(operation)
    assert instead in said
    # Hidden in one that Django's state doesn't see, it is found too.
    [hidden] = against(migrations.SeparateDatabaseAndState([operation]))
    assert hidden.endswith(said)


@pytest.mark.parametrize(
    "operation",
    [
        added(models.CharField(max_length=9, db_default="")),
        added(models.DateTimeField(db_default=Now())),
        added(models.CharField(max_length=9, null=True)),
        added(key(null=True, db_index=False)),
        added(models.ManyToManyField("library.Shelf")),
        altered(models.CharField(max_length=10)),
        altered(models.TextField()),
        altered(models.CharField(max_length=9, choices=[("a", "A")], db_default="a")),
        AddConstraintNotValid("book", CHECK),
        ValidateConstraint("book", "book_has_title"),
        migrations.RemoveConstraint("book", "book_has_title"),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField("book", "title")]
        ),
        migrations.RunSQL("ALTER TABLE library_book DROP COLUMN title"),
        migrations.RunSQL("ALTER TABLE library_book ADD CHECK (title > '') NOT VALID"),
        migrations.RunSQL("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
        migrations.RunSQL(
            "-- squawk-ignore adding-not-nullable-field\n"
            "ALTER TABLE library_book ALTER title SET NOT NULL"
        ),
    ],
)
def test_what_is_online_passes(operation: Operation) -> None:
    assert against(operation) == []


@pytest.mark.parametrize(
    "operation",
    [
        AddIndexConcurrently("book", INDEX),
        RemoveIndexConcurrently("book", "book_title"),
        migrations.RunPython(migrations.RunPython.noop),
        migrations.RunSQL("CREATE INDEX CONCURRENTLY i ON library_book (title)"),
    ],
)
def test_what_is_online_outside_a_transaction_passes_there(operation: Operation) -> None:
    assert against(operation, atomic=False) == []


def test_a_table_that_the_migration_makes_may_be_changed_as_one_likes() -> None:
    made = migrations.CreateModel("Cover", [("id", models.UUIDField(primary_key=True))])
    column = migrations.AddField("cover", "title", TITLE)
    assert against(made, column, migrations.AddIndex("cover", INDEX)) == []
    assert against(made, migrations.AddField("book", "subtitle", TITLE)) != []


def test_a_constraint_is_validated_in_a_migration_of_its_own() -> None:
    [said] = against(
        AddConstraintNotValid("book", CHECK), ValidateConstraint("book", "book_has_title")
    )
    assert "next migration" in said


def test_each_migration_of_the_core_is_given_or_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones would not pass: they came before there was anybody to wait."""
    assert {name for name, reasons in online_migrations.new_ones() if reasons} == set()
    monkeypatch.setattr(online_migrations, "GIVEN", {**online_migrations.GIVEN, "posts": 2})
    assert "posts.0003_indexes_that_others_begin_with" in dict(online_migrations.new_ones())
    monkeypatch.setattr(online_migrations, "GIVEN", {**online_migrations.GIVEN, "accounts": 14})
    assert dict(online_migrations.new_ones())["accounts.0015_claims_of_invitations"] != []
