"""What people write and others see: one definition of a visible line, for every field and place.

By Unicode's own properties, as the library `regex` has them.
"""

import unicodedata

import regex

from innotter.common.errors import Invalid
from innotter_contracts import direction

# Ends a line, or is nothing that two systems may exchange.
_NO_LINE = regex.compile(r"[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]")
# Besides what has no shape: marks that sit on no letter, and two symbols that are drawn empty.
_VISIBLE = regex.compile(
    r"[^\p{C}\p{Z}\p{M}\p{White_Space}\p{Default_Ignorable_Code_Point}\u2800\U0001d159]"
)
# Unicode TR 51: a sequence that is one emoji, among them flags and joined families.
_EMOJI = (
    r"(?:\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\ufe0f)?(?:[\U000e0020-\U000e007e]+\U000e007f)?"
    r"|[0-9#*]\ufe0f\u20e3)"
)
_SEQUENCE = rf"{_EMOJI}(?:\u200d{_EMOJI})*"
# RFC 5892, appendix A: what a joiner or a non-joiner does something to.
_JOINED = (
    r"(?<=\p{Canonical_Combining_Class=Virama})[\u200c\u200d]"
    r"|(?<=[\p{Joining_Type=D}\p{Joining_Type=L}]\p{Joining_Type=T}*)\u200c"
    r"(?=\p{Joining_Type=T}*[\p{Joining_Type=D}\p{Joining_Type=R}])"
)
_IDLE = regex.compile(rf"((?:{_SEQUENCE})|(?:{_JOINED}))|\p{{Default_Ignorable_Code_Point}}")

# The most code points that NFC makes one of (Unicode FAQ on normalization).
_SHRINKS = 4
# Letters and digits that are written from right to left, and direction marks.
_TURNS = regex.compile(r"[\p{Bidi_Class=R}\p{Bidi_Class=AL}\p{Bidi_Class=AN}\p{Bidi_Control}]")


def nfc(text: str, longest: int) -> str:
    """The text in NFC; one that has more than `longest` code points in any form, as it is."""
    # Normalizing takes time by the square of the marks in a row: 1 s for 40,000.
    return text if len(text) > _SHRINKS * longest else unicodedata.normalize("NFC", text)


def bounded(field: str, text: str, longest: int) -> str:
    """The text in NFC, at most `longest` code points of it. Raises Invalid."""
    normal = nfc(text, longest)
    if len(normal) > longest:
        raise Invalid(field, f"At most {longest} characters are allowed.")
    return normal


def visible_text(field: str, text: str, longest: int) -> str:
    """The text in NFC, otherwise untouched. Raises Invalid for what no reader would see."""
    normal = bounded(field, text, longest)
    if not _VISIBLE.search(normal):
        raise Invalid(field, "At least one visible character is expected.")
    return normal


def visible_line(field: str, text: str, longest: int) -> str:
    """A name, a title: NFC, without space around it. Raises Invalid for what has a line break or
    a control character in it, and for what no reader would see."""
    line = visible_text(field, text.strip(), longest)
    if _NO_LINE.search(line):
        raise Invalid(field, "Line breaks and control characters are not allowed.")
    return line


def without_idle(text: str) -> str:
    """Without the invisible characters that change nothing in what is seen. Joined emoji and
    letters, and flags, stay."""
    return str(_IDLE.sub(lambda found: found[1] or "", text))


def one_line(text: str) -> str:
    """Without line breaks and control characters, also of a name that is older than their ban."""
    return " ".join(_NO_LINE.sub(" ", text).split())


def within_text(name: str) -> str:
    """A name inside a header or plain text: one line, isolated where it could turn its neighbours
    around. Others stay as they are: an ASCII name is an ASCII header."""
    line = one_line(name)
    return isolate(line) if _TURNS.search(line) else line


def isolate(text: str) -> str:
    """A name inside other text, in a line, which its direction marks turn nothing of around."""
    return direction.isolate(_NO_LINE.sub(" ", text))


def cut(text: str, longest: int) -> str:
    """At most `longest` code points, whole characters as a reader counts them (Unicode TR 29),
    with an ellipsis for what is missing. To be called before `isolate`."""
    if len(text) <= longest:
        return text
    ends = (cluster.end() for cluster in regex.finditer(r"\X", text[:longest]))
    end = max((end for end in ends if end < longest), default=longest - 1)
    return f"{text[:end].rstrip()}…"
