"""The fields of a body's serializer are made once for all requests of a process."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from rest_framework.exceptions import ErrorDetail, ValidationError

from innotter.common.views import BaseViewSet
from innotter.pages.serializers import AnswerRequestsSerializer, NewPageSerializer
from innotter.posts.serializers import NewPostSerializer


def checked(serializer: Any, data: Any, *, partial: bool = False) -> dict[str, Any]:
    return BaseViewSet()._checked(serializer, data, partial)


def test_a_body_is_judged_by_what_is_in_it_alone() -> None:
    assert checked(NewPageSerializer, {"name": "Fog"}) == {"name": "Fog"}
    with pytest.raises(ValidationError) as refused:
        checked(NewPageSerializer, {"description": "Over the water"})
    required = ErrorDetail("This field is required.", code="required")
    assert refused.value.detail == {"name": [required]}
    assert checked(NewPageSerializer, {}, partial=True) == {}
    assert checked(NewPageSerializer, {"name": "Boat"}) == {"name": "Boat"}
    assert checked(AnswerRequestsSerializer, {"all": True}) == {"all": True}
    assert checked(AnswerRequestsSerializer, {"usernames": ["bob"]}) == {"usernames": ["bob"]}


def test_bodies_that_are_checked_at_once_do_not_mix() -> None:
    bodies = [{"content": f"Fog {number}"} for number in range(500)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda body: checked(NewPostSerializer, body), bodies))
    assert found == bodies
