from django.apps import AppConfig


class Config(AppConfig):
    """Connects what happens in an app above within the transaction of an app below. What follows
    after it, from an event, is in reactions.py."""

    name = "innotter.config"

    def ready(self) -> None:
        # Services import models, which are there only now.
        from innotter.accounts.leaving import user_deletion  # noqa: PLC0415
        from innotter.accounts.mailboxes import mailbox_confirmed  # noqa: PLC0415
        from innotter.accounts.selectors import suppression  # noqa: PLC0415
        from innotter.mail.selectors import is_suppressed  # noqa: PLC0415
        from innotter.mail.suppressions import lift_suppression  # noqa: PLC0415
        from innotter.moderation.services import (  # noqa: PLC0415
            log_post_deletion,
            log_user_deletion,
        )
        from innotter.pages.services import page_deletion  # noqa: PLC0415
        from innotter.posts.services import delete_posts_of, post_moderation  # noqa: PLC0415

        mailbox_confirmed.connect(lift_suppression)
        suppression.connect(is_suppressed)
        page_deletion.connect(delete_posts_of)
        post_moderation.connect(log_post_deletion)
        user_deletion.connect(log_user_deletion)
