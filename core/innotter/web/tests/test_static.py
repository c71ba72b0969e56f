"""Static files once they are collected: small, and kept by browsers for as long as they are the
same."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.test import Client

from innotter.web.templatetags.web import rendered

YEAR = 365 * 24 * 3600


@pytest.fixture
def collected(settings: LazySettings, tmp_path: Path) -> Iterator[None]:
    settings.STATIC_ROOT = tmp_path
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if not app.startswith("drf_spectacular")
    ]
    storage = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    settings.STORAGES = {"staticfiles": {"BACKEND": storage}}
    call_command("collectstatic", interactive=False, verbosity=0)
    # The names of files are remembered, since outside of tests they never change.
    rendered.cache_clear()
    yield
    rendered.cache_clear()


def test_a_page_names_files_that_are_compressed_and_kept(collected: None, db: None) -> None:
    browser = Client()
    names = re.findall(r'"(/static/web/[^"]+)"', browser.get("/about").content.decode())
    script = next(name for name in names if name.endswith(".js"))
    assert re.fullmatch(r"/static/web/site\.[0-9a-f]{12}\.js", script)
    answer = browser.get(script, headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.headers["Content-Encoding"] == "gzip"
    age = re.search(r"max-age=(\d+)", answer.headers["Cache-Control"])
    assert age is not None
    assert int(age[1]) >= YEAR
    packed = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    source = Path(__file__).parents[1] / "static" / "web" / "site.js"
    assert gzip.decompress(packed) == source.read_bytes()
