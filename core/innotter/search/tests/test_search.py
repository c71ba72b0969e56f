"""What is found, by whom, and in which order."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unicodedata import category, normalize
from urllib.parse import quote

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from innotter.accounts.models import User
from innotter.common.database import Folded
from innotter.conftest import Api, bad_fields, new_page, new_user, property_test, statements
from innotter.feed.tests.test_cost import plan_of, rows_read
from innotter.pages.models import Page, Tag
from innotter.pages.services import add_tag, remove_tag
from innotter.search import selectors

LETTERS = {"Lu", "Ll", "Lt", "Lm", "Lo"}


def names(rows: list[dict[str, Any]]) -> list[str]:
    """The uuid of each page and the username of each user that was found."""
    return [row["page"]["uuid"] if "page" in row else row["user"]["username"] for row in rows]


def found(api: Api, q: str, viewer: User | None = None, **query: Any) -> list[str]:
    return names(api(viewer).walk("/search", q=q, **query))


def test_a_page_and_a_user_are_shown_as_elsewhere(
    api: Api, ann: User, bob: User, page: Page
) -> None:
    rows = api(bob).get("/search", q="ann").json()["results"]
    shown = {row["user"]["username"] if "user" in row else row["page"]["uuid"]: row for row in rows}
    assert list(shown) == ["ann", "ann-private"]
    assert api(bob).get("/search", q="ann", type="page").json()["results"] == [
        {"type": "page", "page": api(bob).get("/pages/ann").json()},
        {"type": "page", "page": api(bob).get("/pages/ann-private").json()},
    ]
    assert api(bob).get("/search", q="ann", type="user").json()["results"] == [
        {"type": "user", "user": api().get("/users/ann").json()}
    ]


@pytest.fixture
def places(ann: User) -> dict[str, Page]:
    return {
        uuid: new_page(ann, uuid=uuid, name=name, tags=tags)
        for uuid, name, tags in [
            ("fog-1", "The harbour at night", ["water"]),
            ("lantern", "Lighthouse keepers", ["water", "морские птицы"]),
            ("tea", "Ёжик в тумане", ["мультфильмы"]),
            ("sea_view", "Гавань и лодки", ["вода"]),
            ("snakes", "Python для начинающих", ["код"]),
        ]
    }


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize(
    ("q", "expected"),
    [
        # By name, in any case, from the beginning or from within.
        ("lighthouse", "lantern"),
        ("LIGHTHOUSE KEEP", "lantern"),
        ("keepers", "lantern"),
        ("kee", "lantern"),
        ("harbour", "fog-1"),
        ("Ёжик", "tea"),
        ("ЕЖИК", "tea"),
        ("тумане", "tea"),
        ("гав", "sea_view"),
        ("Г", "sea_view"),
        # By uuid.
        ("lantern", "lantern"),
        ("SEA_VIEW", "sea_view"),
        ("sea_v", "sea_view"),
        # By tag.
        ("мультфильмы", "tea"),
        ("мор", "lantern"),
        ("птицы", "lantern"),
        ("код", "snakes"),
        # With a letter that is wrong, missing, too many, or in another's place.
        ("harbor", "fog-1"),
        ("harbuor", "fog-1"),
        ("lighthoouse", "lantern"),
        ("lihgthouse", "lantern"),
        ("pyhton", "snakes"),
        ("lantren", "lantern"),
        ("гавань", "sea_view"),
        ("гвань", "sea_view"),
        ("гавнаь", "sea_view"),
        ("гаваннь", "sea_view"),
        ("тумани", "tea"),
        ("мультфилмы", "tea"),
        ("лотки", "sea_view"),
    ],
)
def test_pages_are_found_by_name_uuid_and_tag(api: Api, q: str, expected: str) -> None:
    assert found(api, q)[:1] == [expected]


@pytest.mark.parametrize(
    "q", ["anna", "ANN", "Anna Kern", "kern", "ana kern", "Керн", "керм", "ке"]
)
def test_users_are_found_by_username_and_title(api: Api, db: None, q: str) -> None:
    for username, title in [("anna1", "Anna Kern"), ("k2", "Керн Анна"), ("boris", "Борис")]:
        User.objects.create(username=username, email=f"{username}@example.com", title=title)
    expected = "k2" if q[0] in "Кк" and q not in ("kern",) else "anna1"
    assert found(api, q)[:1] == [expected]
    assert "boris" not in found(api, q)


def test_an_email_address_finds_nobody(api: Api, db: None) -> None:
    User.objects.create(username="joe", email="quincunx@example.com", title="Joe")
    assert found(api, "quincunx") == found(api, "example") == []


def test_what_begins_with_the_question_comes_first_and_the_shorter_before_the_longer(
    api: Api, ann: User
) -> None:
    for uuid, name in [
        ("p1", "Harbour lights and ships"),
        ("p2", "My harbour"),
        ("p3", "Harbourmaster"),
        ("p4", "harbour"),
        ("p5", "Hardour"),
        ("harbour-6", "Something else"),
    ]:
        new_page(ann, uuid=uuid, name=name)
    assert found(api, "harbour") == ["p4", "harbour-6", "p3", "p1", "p2", "p5"]


def test_what_is_equally_good_comes_in_the_order_of_its_making(api: Api, ann: User) -> None:
    made = [new_page(ann, name="Harbour").uuid for _ in range(5)]
    made.append(new_user("harbour").username)
    assert found(api, "harbour", limit=2) == made
    assert found(api, "harbuor", limit=2) == made


def test_a_page_that_is_found_by_several_texts_is_found_once(api: Api, ann: User) -> None:
    tags = ["harbour", "harbours", "the harbour"]
    new_page(ann, uuid="harbour", name="Harbour", tags=tags)
    assert found(api, "harbour", limit=1) == ["harbour"]
    assert found(api, "harbor", limit=1) == ["harbour"]


def test_tags_that_come_and_go_are_noticed(api: Api, ann: User, page: Page) -> None:
    assert found(api, "gardening") == []
    add_tag(actor=page.owner, page=page, tag="gardening")
    assert found(api, "gardening") == ["ann"]
    remove_tag(actor=page.owner, page=page, tag="gardening")
    assert found(api, "gardening") == []


@pytest.mark.parametrize("type", ["page", "user"])
def test_one_type_alone(api: Api, ann: User, page: Page, type: str) -> None:
    rows = api().walk("/search", q="ann", type=type)
    assert {row["type"] for row in rows} == {type}


# Who looks for a page of this state finds it (+), does not (-), or is blocked (!).
#                             anonymous  follower   moderator
#                                stranger   owner      admin
TABLE = {
    "public":                   "+  +  +  +  +  +",
    "private":                  "+  +  +  +  +  +",
    "blocked until tomorrow":   "-  -  -  +  +  +",
    "blocked until yesterday":  "+  +  +  +  +  +",
    "blocked for good":         "-  -  -  +  +  +",
    "owner blocked":            "-  -  -  !  +  +",
}  # fmt: skip
STATES: dict[str, dict[str, Any]] = {
    "private": {"is_private": True},
    "blocked until tomorrow": {"unblock_date": datetime.now(UTC) + timedelta(days=1)},
    "blocked until yesterday": {"unblock_date": datetime.now(UTC) - timedelta(days=1)},
    "blocked for good": {"blocked_for_good": True},
}


@pytest.mark.parametrize("state", TABLE)
@pytest.mark.parametrize("q", ["zeppelin", "zepelin", "z", "airship", "sky-1"])
def test_who_finds_which_page(
    *,
    api: Api,
    ann: User,
    bob: User,
    eve: User,
    moderator: User,
    admin: User,
    page: Page,
    state: str,
    q: str,
) -> None:
    Page.objects.filter(pk=page.pk).update(name="Zeppelin", uuid="sky-1")
    add_tag(actor=page.owner, page=page, tag="airships")
    if state in STATES:
        Page.objects.filter(pk=page.pk).update(**STATES[state])
    User.objects.filter(pk=ann.pk).update(is_blocked=state == "owner blocked")
    viewers = (None, eve, bob, ann, moderator, admin)
    for viewer, expected in zip(viewers, TABLE[state].split(), strict=True):
        if expected == "!":
            assert api(viewer).get("/search", q=q).status_code == 401
        else:
            assert found(api, q, viewer) == (["sky-1"] if expected == "+" else [])


def test_a_blocked_user_is_found_by_moderators_alone(
    api: Api, eve: User, bob: User, moderator: User
) -> None:
    """As their profile is."""
    User.objects.filter(pk=eve.pk).update(is_blocked=True)
    for viewer in (None, bob):
        assert api(viewer).get("/search", q="eve").json()["results"] == []
    (row,) = api(moderator).get("/search", q="eve").json()["results"]
    assert row["user"] == api(moderator).get("/users/eve").json()
    assert row["user"]["is_blocked"] is True


@pytest.mark.parametrize(
    "q", ["%", "_", "\\", "%%", "%ebra", "z%a", "_ebra", "z%", "\\z", "' OR 1=1"]
)
def test_nothing_is_a_wildcard(api: Api, ann: User, q: str) -> None:
    new_page(ann, uuid="zulu", name="Zebra", tags=["zorro"])
    # Nothing begins so. That it is like the letters around the sign is another matter.
    assert found(api, q) == (["zulu"] if "ebra" in q else [])


def test_signs_stand_for_themselves(api: Api, ann: User) -> None:
    for uuid, name in [
        ("p1", "100% cotton"),
        ("p2", "1000 cottons"),
        ("p3", "_under"),
        ("p4", "\\o/"),
    ]:
        new_page(ann, uuid=uuid, name=name)
    assert found(api, "100%")[0] == "p1"
    assert found(api, "_u") == ["p3"]
    assert found(api, "\\o") == ["p4"]
    new_page(ann, uuid="p5", name="🔥 and flames")
    assert found(api, "🔥") == ["p5"]


@pytest.mark.parametrize("q", ["", " ", "\t\n", "x" * 101, "a\x00b"])
def test_a_question_has_1_to_100_characters(api: Api, db: None, q: str) -> None:
    assert bad_fields(api().get("/search", q=q)) == ["q"]


def test_a_question_is_needed_and_a_type_is_one_of_two(api: Api, db: None) -> None:
    assert bad_fields(api().get("/search")) == ["q"]
    assert bad_fields(api().get("/search", q="a", type="post")) == ["type"]
    assert bad_fields(api().get("/search", q="a", limit=0)) == ["limit"]
    assert api().get("/search", q=f"  {'x' * 100} ").status_code == 200


@pytest.mark.parametrize("position", ["", "n", "n1", "n1:x", "n-1:" + "0" * 32, "nx:" + "0" * 32])
def test_a_made_up_cursor_is_bad_input(api: Api, db: None, position: str) -> None:
    from base64 import urlsafe_b64encode  # noqa: PLC0415

    for cursor in (position, urlsafe_b64encode(position.encode()).decode().rstrip("=")):
        assert bad_fields(api().get(f"/search?q=a&cursor={quote(cursor)}")) == ["cursor"]


@property_test
@given(q=st.text(min_size=1, max_size=30), cursor=st.none() | st.text(max_size=40))
def test_no_question_is_a_server_error(api: Api, page: Page, q: str, cursor: str | None) -> None:
    path = f"/search?q={quote(q, errors='replace')}"
    if cursor is not None:
        path += f"&cursor={quote(cursor, errors='replace')}"
    assert api().get(path).status_code in (200, 400)


words = st.sampled_from(["harbour", "harbor", "harbours", "гавань", "гавани", "boat", "the"])


@property_test
@given(
    pages=st.lists(st.lists(words, min_size=1, max_size=3).map(" ".join), max_size=12),
    users=st.lists(words, max_size=8),
    q=words | st.sampled_from(["h", "ha", "har", "bota"]),
    limit=st.integers(1, 9),
)
def test_pages_of_the_list_make_up_the_whole_both_ways(
    *, api: Api, ann: User, pages: list[str], users: list[str], q: str, limit: int
) -> None:
    with transaction.atomic():
        # A generated uuid may begin with the question, too.
        Page.objects.bulk_create(
            Page(owner=ann, name=name, uuid=f"{n:02}") for n, name in enumerate(pages)
        )
        User.objects.bulk_create(
            User(username=f"u{n}", email=f"u{n}@example.com", title=title)
            for n, title in enumerate(users)
        )
        whole = found(api, q, limit=100)
        there, back = api().there_and_back("/search", q=q, limit=limit)
        assert names(there) == names(back) == whole
        assert len(set(whole)) == len(whole)
        beginning = {name for name in pages if name.startswith(q)}
        kinds = [row["page"]["name"] in beginning for row in there if "page" in row]
        assert kinds == sorted(kinds, reverse=True)
        transaction.set_rollback(True)


def test_rows_that_come_and_go_move_nothing(api: Api, ann: User) -> None:
    pages = [new_page(ann, uuid=f"p{n}", name=f"Harbour {'x' * n}") for n in range(8)]
    met: list[str] = []
    for answer in api().answers("/search", q="harbour", limit=2):
        if not met:
            new_page(ann, uuid="nearer", name="Harbour")
            # The row that the cursor names, and one that was not met.
            for gone in (pages[1], pages[4]):
                Page.objects.filter(pk=gone.pk).delete()
        met += names(answer["results"])
    assert met == ["p0", "p1", "p2", "p3", "p5", "p6", "p7"]


@pytest.mark.usefixtures("recompiled")
def test_a_word_of_everybodys_is_cut_off_with_the_best_first(
    api: Api, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "MOST_BEGINNING", 5)
    monkeypatch.setattr(selectors, "MOST_ALIKE", 5)
    Page.objects.bulk_create(Page(owner=ann, name=f"Harbour {n:02}") for n in range(20))
    Page.objects.bulk_create(Page(owner=ann, name=f"My harbour {n:02}") for n in range(20))
    new_page(ann, uuid="the-one", name="Harbour")
    whole = found(api, "harbour", limit=3)
    assert whole[0] == "the-one"
    assert len(set(whole)) == len(whole) == 10


def test_a_full_answer_looks_for_nothing_that_is_merely_alike(api: Api, ann: User) -> None:
    """Whether pages fill it, or pages and users together."""
    Page.objects.bulk_create(Page(owner=ann, name="Harbour") for _ in range(25))
    new_page(ann, uuid="last", name="My harbour")
    assert found(api, "harbour", limit=20)[-1] == "last"
    assert found(api, "harbour", limit=25)[-1] == "last"
    User.objects.bulk_create(User(username=f"harbour{n}") for n in range(5))
    for question in ({"type": "page", "limit": 24}, {"limit": 29}):
        with statements() as sent:
            api().get("/search", q="harbour", **question)
        ((ranking, params),) = sent
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN (ANALYZE) " + ranking, params)
            plan = [line for (line,) in cursor.fetchall()]
        # Whatever looks for likeness, an index or a filter.
        alike = [number for number, line in enumerate(plan) if " %>> " in line]
        assert alike
        for number in alike:
            scan = next(line for line in plan[number::-1] if "->" in line)
            assert "never executed" in scan


SEARCHED = [(Page, "name"), (Page, "uuid"), (Tag, "name"), (User, "username"), (User, "title")]


@pytest.mark.parametrize(("model", "column"), SEARCHED)
def test_each_text_has_two_indexes(db: None, model: Any, column: str) -> None:
    """They fold it by the very function that a search does."""
    rows = model.objects.order_by().annotate(text=Folded(column))
    index = f"search_{model._meta.db_table}_{column}"
    with connection.cursor() as cursor:
        # Or else so small a table is read as a whole.
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert f"{index}_begins" in rows.filter(text__gte="harbour").explain()
    assert f"{index}_like" in rows.filter(text__trigram_strict_word_similar="harbour").explain()


def test_of_many_tags_an_index_gives_those_that_are_alike(api: Api, ann: User) -> None:
    """However much it takes to see the pages that have them."""
    Tag.objects.bulk_create(Tag(name=f"tag {n:03}") for n in range(800))
    Page.objects.bulk_create(Page(owner=ann, name=f"Page {n:02}") for n in range(30))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO pages_page_tags (page_id, tag_id)"
            " SELECT page.id, tag.id FROM pages_page page, pages_tag tag;"
            # As a vacuum does.
            " SELECT gin_clean_pending_list('search_pages_tag_name_like'); ANALYZE"
        )
    with statements() as sent:
        assert found(api, "lighthuose") == []
    [plan] = [plan_of(*each) for each in sent]
    assert sum(rows_read(plan, Tag._meta.db_table)) < 80


EXACT = [
    *("Йюзейка", "İzmir Kafe", "IŞIK", "Straße", "ΣΊΣΥΦΟΣ"),
    *("한국어", "Ångström", "ﬁancé", "Ёлка", "Їжак"),
]


@pytest.mark.parametrize("name", EXACT)
def test_a_name_is_found_in_any_case_and_composition(api: Api, ann: User, name: str) -> None:
    written = [
        normalize(form, text)
        for text in (name, name.upper(), name.lower(), name.casefold())
        for form in ("NFC", "NFD", "NFKC", "NFKD")
    ]
    for number, text in enumerate(written):
        # A row from before names were kept in NFC, too.
        Page.objects.create(owner=ann, name=text, uuid=f"page-{number}")
    expected = {f"page-{number}" for number in range(len(written))}
    for q in written:
        assert set(found(api, q)) == expected, q


def test_the_beginning_of_a_turkish_name_finds_it(api: Api, ann: User) -> None:
    new_page(ann, uuid="kafe", name="İzmir Kafe")
    new_user("other")
    for q in ("İz", "iz", "IZ", "ız", "i\u0307z", "I\u0307Z"):
        assert found(api, q) == ["kafe"], q


def test_no_letter_of_unicode_is_told_by_case_or_composition(db: None) -> None:
    """By the tables that Python and PostgreSQL both have."""
    letters = [c for c in map(chr, range(0xA0, 0x110000)) if category(c) in LETTERS]
    ways = [
        (c, other)
        for c in letters
        for other in {c.upper(), c.lower(), normalize("NFD", c), normalize("NFKC", c)} - {c}
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a, b FROM unnest(%s::text[], %s::text[]) AS way (a, b)"
            " WHERE fold_text(a) <> fold_text(b)",
            [[a for a, _ in ways], [b for _, b in ways]],
        )
        assert cursor.fetchall() == []


def test_russian_is_folded_as_all_scripts_are(db: None) -> None:
    """It has a way of its own through fold_text(), which a character of another script closes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH letter AS (SELECT chr(n) AS c FROM generate_series(1, 1119) n"
            " WHERE n < 128 OR n >= 1024)"
            " SELECT a.c, b.c FROM letter a, letter b"
            " WHERE fold_text(a.c || b.c) || '中' <> fold_text(a.c || b.c || '中')"
        )
        assert cursor.fetchall() == []
