from prometheus_client import Counter

SUPPRESSIONS = Counter(
    "innotter_suppressions", "Addresses that get no mail any more, by the reason.", ["reason"]
)
MAILS = Counter(
    "innotter_mails",
    "Mails by what became of them: sent, retried, failed, doubtful, left_out.",
    ["outcome"],
)
