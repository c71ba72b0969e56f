"""The pages are true: their links lead somewhere, and each variable is named with its default."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from dev.paths import ROOT
from innotter.config.environment import Environment
from innotter_stats.settings import Settings

PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(part.startswith(".") and part != ".github" for part in page.relative_to(ROOT).parts)
)
# Of the test runner; and boto3's, which stands among the others.
ELSEWHERE = {"TEST_DATABASE_TEMPLATE", "AWS_ENDPOINT_URL"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        linked = (page.parent / unquote(path)).resolve() if path else page
        assert linked.exists(), f"{target} is not there"
        assert linked.is_relative_to(ROOT)
        if anchor:
            assert anchor in anchors(linked), f"{target}: no such heading"


def test_there_are_links_to_follow() -> None:
    assert len([target for page in PAGES for target in links(page)]) > len(PAGES)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/recipes.md"])
def test_files_that_a_recipe_names_are_there(page: str) -> None:
    named = re.findall(r"`((?:core|contracts|stats|docs)/[\w./]+)`", (ROOT / page).read_text())
    assert named
    assert [file for file in named if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("settings", [Environment, Settings])
def test_each_variable_is_explained_with_its_default(settings: type[BaseSettings]) -> None:
    explained = variables()
    for name, field in settings.model_fields.items():
        if name.upper() in ELSEWHERE:
            continue
        shown = explained[name.upper()]
        if field.default is not PydanticUndefined and shown not in ("", "…"):
            default = field.default
            default = ",".join(default) if isinstance(default, list) else default
            assert shown == f"`{default}`", name


def test_containers_have_the_same_defaults() -> None:
    compose = (ROOT / "deploy" / "compose.yaml").read_text()
    fields = {**Settings.model_fields, **Environment.model_fields}
    # Who writes no `.env` is not in production by accident.
    others = {"INNOTTER_ENV"}
    for name, default in re.findall(r"\$\{(\w+):-([^}]+)\}", compose):
        if name not in others and name.lower() in fields:
            assert default.lower() == str(fields[name.lower()].default).lower(), name


def test_no_variable_is_explained_that_nobody_reads() -> None:
    readers = [ROOT / "deploy" / "compose.yaml", ROOT / ".env.example"]
    readers += [*(ROOT / "deploy").glob("*/*entrypoint.sh"), ROOT / "deploy" / "make-env.sh"]
    text = "".join(reader.read_text() for reader in readers)
    fields = {*Environment.model_fields, *Settings.model_fields}
    for name in variables():
        assert name.lower() in fields or name in text, name


def test_env_example_has_each_variable_of_the_core() -> None:
    example = (ROOT / ".env.example").read_text()
    missing = [
        name
        for name in map(str.upper, Environment.model_fields)
        if name not in ELSEWHERE and f"#{name}=" not in example
    ]
    assert missing == []


def links(page: Path) -> Iterator[str]:
    """Those within the repository; what stands between fences is no link."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "", text)
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of the headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


def variables() -> dict[str, str]:
    """The names in docs/configuration.md, and the default that stands beside each."""
    rows = re.findall(
        r"^\| (`[A-Z].*?) \| ?(.*?) ?\| ",
        (ROOT / "docs" / "configuration.md").read_text(),
        re.MULTILINE,
    )
    return {name: default for names, default in rows for name in re.findall(r"`(\w+)`", names)}
