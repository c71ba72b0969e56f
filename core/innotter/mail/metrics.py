from prometheus_client import Counter

from innotter.mail.models import Suppression

SUPPRESSIONS = Counter(
    "innotter_suppressions", "Addresses that get no mail any more, by reason.", ["reason"]
)
MAILS = Counter(
    "innotter_mails",
    "Mails by outcome: sent, retried, failed, unknown; and deliveries: skipped.",
    ["outcome"],
)
OUTCOMES = ("sent", "retried", "failed", "unknown", "skipped")
for outcome in OUTCOMES:
    MAILS.labels(outcome)
for reason in Suppression.Reason.values:
    SUPPRESSIONS.labels(reason)
