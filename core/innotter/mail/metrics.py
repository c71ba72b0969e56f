from prometheus_client import Counter

MAILS = Counter(
    "innotter_mails",
    "Mails by what became of them: sent, retried, failed, doubtful, left_out.",
    ["outcome"],
)
