"""`make messages`: the words for people, from the core's code and templates into its catalogs.

One catalog a language for the whole core, core/innotter/locale/<language>/LC_MESSAGES/django.po:
the source is English, a translator fills in `msgstr`. The compiled .mo lies beside it, so that
running the core needs no gettext tools; `make check` compares both with the code.
"""

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from dev.paths import ROOT

CORE = ROOT / "core" / "innotter"
CATALOGS = CORE / "locale"
# Django's names beside gettext's own.
KEYWORDS = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}

# Lines of a header that say nothing of the words.
NOISE = (
    *(b'"POT-Creation-Date', b'"PO-Revision-Date', b'"Generated-By', b'"Last-Translator'),
    *(b'"Report-Msgid-Bugs-To', b'"Language-Team', b'"Project-Id-Version'),
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def main(words: list[str]) -> int:
    files = sorted(CATALOGS.glob("*/LC_MESSAGES/django.po"))
    faults = [fault for file in files for fault in _update(file, check="--check" in words)]
    print("\n".join(faults))
    return 1 if faults else 0


def _update(file: Path, *, check: bool) -> list[str]:
    """What is wrong with a catalog; it is written anew, unless this is only a check."""
    catalog = read_po(io.BytesIO(file.read_bytes()), locale=file.parts[-3])
    template = Catalog()
    for place, message in _messages():
        template.add(message.id, locations=[(place, 0)], context=message.context)
    # Words that are gone leave the catalog, and no translation is guessed.
    catalog.update(template, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    po, mo = _text_of(catalog), _compiled(catalog)
    compiled = file.with_suffix(".mo")
    if not check:
        file.write_bytes(po)
        compiled.write_bytes(mo)
    faults = [f"{file}: not translated: {each.id!r}" for each in catalog if _is_missing(each)]
    if file.read_bytes() != po or not compiled.exists() or compiled.read_bytes() != mo:
        faults.append(f"{file} is not what the code says now; `make messages` writes it.")
    return faults


def _is_missing(message: Message) -> bool:
    strings = message.string if isinstance(message.string, tuple | list) else [message.string]
    return bool(message.id) and not all(strings)


def _messages() -> Iterator[tuple[str, Message]]:
    """Each message with its file."""
    for file in sorted(CORE.rglob("*")):
        if "tests" in file.parts or not file.is_file():
            continue
        if file.suffix == ".py":
            source = file.read_text()
        elif "templates" in file.parts:
            # Python as far as the messages go, with filler between them.
            lines = templatize(file.read_text(), origin=str(file)).splitlines()
            source = "\n".join(line.strip() for line in lines)
        else:
            continue
        found = extract("python", io.BytesIO(source.encode()), keywords=KEYWORDS)
        for _, words, _, context in found:
            yield str(file.relative_to(ROOT)), Message(words, context=context)


def _text_of(catalog: Catalog) -> bytes:
    """Without line numbers, which would change with everything."""
    file = io.BytesIO()
    write_po(file, catalog, width=100, omit_header=False, include_lineno=False, sort_output=True)
    lines = file.getvalue().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(NOISE))


def _compiled(catalog: Catalog) -> bytes:
    """Of what the .po says, so that it changes only with that."""
    file = io.BytesIO()
    compiled = read_po(io.BytesIO(_text_of(catalog)), locale=catalog.locale)
    compiled.creation_date = compiled.revision_date = EPOCH
    write_mo(file, compiled)
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
