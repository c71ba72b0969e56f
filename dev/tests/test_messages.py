"""Every word of the site comes to the catalog."""

import re

from dev.messages import CORE, KEYWORDS

ALIAS = re.compile(r"\b(\w*gettext\w*) as (\w+)")


def test_no_function_of_gettext_has_a_name_that_is_not_looked_for() -> None:
    aliases = {
        (path.relative_to(CORE).as_posix(), name)
        for path in CORE.rglob("*.py")
        for _, name in ALIAS.findall(path.read_text())
    }
    assert aliases
    assert {(path, name) for path, name in aliases if name not in KEYWORDS} == set()
