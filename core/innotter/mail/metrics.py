from prometheus_client import Counter

SUPPRESSIONS = Counter(
    "innotter_suppressions", "Addresses that get no mail any more, by reason.", ["reason"]
)
MAILS = Counter(
    "innotter_mails",
    "Mails by outcome: sent, retried, failed, unknown; and deliveries: skipped.",
    ["outcome"],
)
