"""What holds of every list of the admin panel, whichever apps register one."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters, ModelAdmin
from django.db import connection
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse

from innotter.common.admin import ReadOnlyAdmin
from innotter.posts.models import Post

PANELS = [pytest.param(panel, id=panel.opts.label) for panel in admin.site._registry.values()]
LOOKUPS = ["", "__exact", "__startswith", "__regex", "__gt", "__in", "__isnull", "__isempty"]
# In URLs and forms: a NUL, half a character, what is no number, no choice or no UUID.
BAD = ["", "a%00b", "%ED%A0%80", "abc", "-1", "9" * 400, "%27%25%5B"]
# What the panel itself puts into URLs.
OWN = ["q", "p", "o", "e", "_popup", "_to_field"]


def list_url(panel: "ModelAdmin[Any]") -> str:
    return reverse(f"admin:{panel.opts.app_label}_{panel.opts.model_name}_changelist")


def declared(panel: "ModelAdmin[Any]") -> set[str]:
    """The parameters of a list's filters."""
    names: set[str] = set()
    for each in panel.list_filter:
        if isinstance(each, str):
            names |= {f"{each}__exact", f"{each}__isnull"}
        elif isinstance(each, tuple):
            names.add(f"{each[0]}__isempty")
        else:
            assert isinstance(each, type)
            assert issubclass(each, SimpleListFilter)
            names.add(str(each.parameter_name))
    return names


def columns(model: type[Model]) -> Iterator[str]:
    """Those of the table, and those of the tables that it refers to."""
    for field in model._meta.fields:
        yield field.name
        if field.related_model:
            yield from (f"{field.name}__{other.name}" for other in field.related_model._meta.fields)


@pytest.mark.parametrize("panel", PANELS)
def test_a_list_is_a_read_only_one(panel: object) -> None:
    assert isinstance(panel, ReadOnlyAdmin)


@pytest.mark.parametrize("panel", PANELS)
def test_no_column_can_be_asked_for_but_by_a_declared_filter(panel: "ModelAdmin[Any]") -> None:
    """A filter on a hidden column would reveal it character by character."""
    asked = {f"{name}{lookup}" for name in columns(panel.model) for lookup in LOOKUPS}
    for parameter in sorted(asked - declared(panel)):
        with pytest.raises((IncorrectLookupParameters, DisallowedModelAdminLookup)):
            panel.get_changelist_instance(_request(**{parameter: "1"}))


def test_the_hash_of_a_password_cannot_be_guessed(browser: Client) -> None:
    path = "/admin/accounts/user/"
    for guess in ("password__startswith=", "password__startswith=nonsense"):
        answer = browser.get(f"{path}?{guess}")
        assert (answer.status_code, answer["Location"]) == (302, f"{path}?e=1")


@pytest.mark.parametrize("panel", PANELS)
def test_no_value_of_a_parameter_is_an_error(
    browser: Client, post: Post, panel: "ModelAdmin[Any]"
) -> None:
    for parameter, value in itertools.product([*OWN, *sorted(declared(panel))], BAD):
        answer = browser.get(f"{list_url(panel)}?{parameter}={value}")
        assert answer.status_code in {200, 302, 400}, (parameter, value)
        if answer.status_code == 302:
            assert answer["Location"] == f"{list_url(panel)}?e=1"


@pytest.mark.parametrize("panel", PANELS)
def test_no_id_is_an_error(browser: Client, post: Post, panel: "ModelAdmin[Any]") -> None:
    actions = [name for name, _ in panel.get_action_choices(_request(), default_choices=[])]
    for value in filter(None, BAD):
        for view in ("change", "history", "delete"):
            answer = browser.get(f"{list_url(panel)}{value}/{view}/")
            assert answer.status_code in {302, 403, 404}, (view, value)
        for action in actions:
            chosen = f"action={action}&confirmed=yes&index={value}&{ACTION_CHECKBOX_NAME}={value}"
            form = "application/x-www-form-urlencoded"
            answer = browser.post(list_url(panel), chosen, content_type=form)
            assert answer.status_code in {200, 302}, (action, value)


@pytest.mark.django_db
@pytest.mark.parametrize("panel", PANELS)
def test_a_search_stands_on_indexes(panel: "ModelAdmin[Any]") -> None:
    found, _ = panel.get_search_results(
        _request(),
        panel.get_queryset(_request()),
        "lighthouse 01a21ab8-03ba-7c6d-9ce2-0d12675f0113",
    )
    with connection.cursor() as cursor:
        # These tables are as good as empty, and reading them whole is the quickest. What is left
        # is a condition that an index answers, or a sequential scan.
        for way in ("seqscan", "indexscan", "indexonlyscan"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    [plan] = json.loads(found.order_by().explain(format="json"))
    read = [node["Node Type"] for node in _scans(plan["Plan"])]
    assert read
    assert "Seq Scan" not in read


def _scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Those of tables; of a subquery, such as the one that finds the newest rows, only those that
    look for something."""
    if "Relation Name" in plan:
        yield plan
    for each in plan.get("Plans", []):
        for scan in _scans(each):
            if "Subplan Name" not in each or "Filter" in scan:
                yield scan


def _request(**query: str) -> Any:
    request = RequestFactory().get("/admin/", query)
    request.user = type("Admin", (), {"has_perm": lambda *_: True})()
    return request
