"""Names among other words: what is written from right to left turns nothing of around."""

from unicodedata import bidirectional

# What is written from right to left, and what embeds or overrides (Unicode TR 9, table 4).
_TURNS = frozenset(["R", "AL", "AN", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"])
_OPENING, _CLOSING = "\u2066\u2067\u2068", "\u2069"


def within_text(line: str) -> str:
    """Isolated where it could turn its neighbours around; otherwise as it is."""
    return isolate(line) if any(bidirectional(c) in _TURNS for c in line) else line


def isolate(line: str) -> str:
    """A name inside other text, in a line, with its direction marks closed in (Unicode TR 9: FSI to
    PDI)."""
    depth, kept = 0, []
    for character in line:
        if character in _OPENING:
            depth += 1
        elif character == _CLOSING:
            if not depth:
                continue
            depth -= 1
        kept.append(character)
    return f"\u2068{''.join(kept)}{_CLOSING * (depth + 1)}"
