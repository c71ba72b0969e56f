"""What pages and people are called, and what is asked to find them, in Latin and Cyrillic."""

import random
from collections.abc import Iterator
from itertools import accumulate

WORDS = 20_000
# Beginnings, middles and ends of syllables.
LETTERS = {
    "latin": ("bcdfghjklmnprstvwz", "aeiou", ("", "", "n", "r", "s", "l", "t", "m")),
    "cyrillic": ("бвгджзклмнпрстфхцчш", "аеёиоуыюя", ("", "", "н", "р", "с", "л", "т", "й")),
}
# Each of these is in one of `of` names; `the` shows the cost of a word without meaning.
KNOWN = {"the": 4, "photo": 20, "harbour": 200, "гавань": 200, "lighthouse": 2_000, "ёжик": 20_000}
QUESTIONS = [
    "harbour", "harbor", "harbuor", "гавань", "гвань", "lighthouse", "lighthuose", "ежик",
    "harbour lighthouse", "kalomi", "person100000", "zzzzqqq", "photo", "the", "har", "ha", "h",
    "га", "к", "%", "_", "🔥",
]  # fmt: skip


def words_of(rng: random.Random) -> list[str]:
    words: dict[str, None] = {}
    while len(words) < WORDS:
        letters = LETTERS["latin" if len(words) % 2 else "cyrillic"]
        syllables = range(rng.randint(2, 4))
        words["".join(rng.choice(part) for _ in syllables for part in letters)] = None
    return list(words)


def names_of(rng: random.Random, words: list[str]) -> Iterator[str]:
    """One to three words, some of them often and most of them seldom."""
    weights = list(accumulate(1 / (n + 10) for n in range(len(words))))
    while True:
        name = rng.choices(words, cum_weights=weights, k=rng.randint(1, 3))
        name = [word for word, of in KNOWN.items() if rng.randrange(of) == 0] + name
        yield " ".join(name)[:100].capitalize()
