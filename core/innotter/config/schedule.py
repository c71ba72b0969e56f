"""What happens by the clock, on one page: the name of a task, and how often it is run.

The scheduler remembers nothing, and begins each interval anew when it starts: an hour at most, and
what is due once a day asks at each run whether it is time. Of several schedulers one calls.
"""

from datetime import timedelta

EVERY = {
    # What waited for its hour, or for another attempt.
    "innotter.mail.send_due": timedelta(seconds=3),
    "innotter.mail.prune_deliveries": timedelta(minutes=1),
    "innotter.events.prune_outbox": timedelta(minutes=1),
    "innotter.media.forget_pictures": timedelta(hours=1),
    "innotter.common.prune_usage": timedelta(minutes=1),
    "innotter.deletion.delete_due": timedelta(minutes=1),
    "innotter.exports.make_exports": timedelta(seconds=10),
    "innotter.exports.forget_exports": timedelta(hours=1),
    "innotter.accounts.prune_sessions": timedelta(minutes=1),
    "innotter.accounts.prune_devices": timedelta(minutes=1),
    "innotter.accounts.prune_names": timedelta(minutes=1),
    "innotter.accounts.prune_registrations": timedelta(minutes=1),
    "innotter.posts.prune_keys": timedelta(minutes=1),
    "innotter.pages.prune_uuids": timedelta(minutes=1),
    "innotter.accounts.prune_account_mail": timedelta(minutes=1),
    "innotter.accounts.prune_challenges": timedelta(minutes=1),
}
