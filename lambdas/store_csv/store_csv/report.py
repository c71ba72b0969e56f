"""What became of a file, as its owner reads it."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

# A report stays small however bad the file is.
EXAMPLES = 20

type Reason = Literal["wrong_number_of_fields", "duplicate_key", "key_too_long", "row_too_large"]


@dataclass
class Finding:
    """How often, and where at first."""

    count: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def free(self) -> int:
        return EXAMPLES - len(self.examples)

    def add(self, number: int, detail: str) -> None:
        self.count += 1
        if self.free:
            self.examples.append({"row": number, "detail": detail})


class Tally:
    """Rows by their outcome. The number of a row counts from the one after the header."""

    def __init__(self) -> None:
        self.read = 0
        self.kept = 0
        # Rows with a null, and how many nulls each column has.
        self.dropped = Finding()
        self.nulls: Counter[str] = Counter()
        # Rows that cannot be stored.
        self.rejected: dict[Reason, Finding] = {}

    def reject(self, reason: Reason, number: int, detail: str) -> None:
        self.rejected.setdefault(reason, Finding()).add(number, detail)

    def as_document(self) -> dict[str, Any]:
        return {
            "rows": {
                "read": self.read,
                "kept": self.kept,
                "dropped": self.dropped.count,
                "rejected": sum(finding.count for finding in self.rejected.values()),
            },
            "dropped": {"null_value": {**asdict(self.dropped), "columns": dict(self.nulls)}},
            "rejected": {reason: asdict(finding) for reason, finding in self.rejected.items()},
        }
