"""What keeps `make run` from starting anything."""

import pytest

from dev import offline, settings
from dev.errors import Failed


def test_the_environment_of_the_tools_is_fine() -> None:
    settings.check(offline.ENVIRONMENT)


def test_nonsense_is_named_for_both_services_before_anything_starts() -> None:
    wrong = {"CORE_URL": "here", "API_THREADS": "0", "CONSUMER_PREFETCH": "no"}
    with pytest.raises(Failed) as refused:
        settings.check({**offline.ENVIRONMENT, **wrong})
    first, *lines = str(refused.value).splitlines()
    assert first == "The settings are not valid:"
    assert [line.split()[0] for line in lines] == ["CORE_URL", "API_THREADS", "CONSUMER_PREFETCH"]


def test_what_production_lacks_is_named_and_not_what_fails_of_it() -> None:
    with pytest.raises(Failed, match="SECRET_KEY was generated for development") as refused:
        settings.check({**offline.ENVIRONMENT, "INNOTTER_ENV": "production"})
    lines = str(refused.value).splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["SECRET_KEY", "MAIL_FROM", "MEDIA_URL"]
