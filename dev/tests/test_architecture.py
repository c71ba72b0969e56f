"""docs/architecture.md, the linter's configuration and the database describe the same directions.

import-linter holds the code to its contracts. It sees neither the page, nor a relation by name
(`ForeignKey("posts.Post")`), nor what a migration depends on.
"""

import re
import tomllib
from itertools import chain
from pathlib import Path

from django.apps import apps
from django.db import models
from django.db.migrations.loader import MigrationLoader

from dev.paths import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()
CORE = ROOT / "core" / "innotter"
# `a > b | c`: each layer may import those to its right, neighbours know nothing of each other.
type Layers = list[set[str]]


def drawn(text: str) -> Layers:
    return [set(map(str.strip, layer.split("|"))) for layer in text.split(">")]


def configured(name: str) -> Layers:
    """The layers of the contract whose name begins so."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [contract] = [each for each in settings["contracts"] if each["name"].startswith(name)]
    assert contract["exhaustive"]
    return drawn(re.sub(r"[()]", "", ">".join(contract["layers"])))


def on_the_page(section: str) -> Layers:
    """The only line of a section that is a drawing."""
    [text] = re.findall(rf"^## {section}$(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    [line] = re.findall(r"^`([^`]* > [^`]*)`$", text, re.MULTILINE)
    return drawn(line)


APPS = configured("Apps of the core")
# An app by name, its layer counted from the bottom.
HEIGHT = {app: height for height, layer in enumerate(reversed(APPS)) for app in layer}


def may_know(app: str, other: str) -> bool:
    return other == app or HEIGHT[other] < HEIGHT[app]


def test_the_page_draws_the_apps_as_the_linter_holds_them() -> None:
    assert on_the_page("The apps of the core") == APPS


def test_the_page_draws_the_files_of_an_app_as_the_linter_holds_them() -> None:
    assert on_the_page("The files of an app") == configured("Files of an app")


def test_the_page_has_a_line_for_each_app() -> None:
    [table] = re.findall(r"^\| app \|.*?(?=\n\n)", PAGE, re.MULTILINE | re.DOTALL)
    explained = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(explained) == sorted(HEIGHT)


def test_models_point_to_their_own_app_or_to_lower_ones() -> None:
    upwards = []
    for model in models_of_the_core():
        meta = model._meta
        for field in chain(meta.local_fields, meta.local_many_to_many, meta.private_fields):
            other = getattr(field.related_model, "_meta", None)
            target = other and other.app_label
            if target in HEIGHT and not may_know(meta.app_label, target):
                upwards.append(f"{meta.label}.{field.name} -> {target}")
    assert upwards == []


def test_migrations_depend_on_their_own_app_or_on_lower_ones() -> None:
    loader = MigrationLoader(None)
    own = {key: each for key, each in loader.disk_migrations.items() if key[0] in HEIGHT}
    assert own
    upwards = [
        (app, name, other)
        for (app, name), migration in own.items()
        # `run_before` is a dependency that the other one does not know of.
        for other, _ in chain(migration.dependencies, migration.run_before)
        if other in HEIGHT and not may_know(app, other)
    ]
    assert upwards == []


def test_sql_functions_are_made_below_the_code_that_calls_them() -> None:
    sources = {file: file.read_text() for file in CORE.rglob("*.py") if "tests" not in file.parts}
    made: dict[str, set[str]] = {}
    for file, text in sources.items():
        for function in re.findall(r"CREATE (?:OR REPLACE )?FUNCTION (\w+)", text):
            made.setdefault(function, set()).add(app_of(file))
    assert made
    upwards = [
        f"{file.relative_to(CORE)}: {function}"
        for file, text in sources.items()
        for function, makers in made.items()
        if re.search(rf"\b{function}\b", text)
        and not any(may_know(app_of(file), maker) for maker in makers)
    ]
    assert upwards == []


def models_of_the_core() -> list[type[models.Model]]:
    found = [
        model
        for model in apps.get_models(include_auto_created=True)
        if model.__module__.startswith("innotter.")
    ]
    assert {model._meta.app_label for model in found} >= {"accounts", "pages", "posts"}
    return found


def app_of(file: Path) -> str:
    return file.relative_to(CORE).parts[0]
