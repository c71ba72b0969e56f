from django.db import migrations, models


class Migration(migrations.Migration):
    """Moderators let people in."""

    dependencies = [("moderation", "0003_subjects")]

    operations = [
        migrations.AlterField(
            "moderationaction",
            "action",
            models.CharField(
                choices=[
                    ("block", "Block"),
                    ("unblock", "Unblock"),
                    ("delete", "Delete"),
                    ("make_user", "Make User"),
                    ("make_moderator", "Make Moderator"),
                    ("make_admin", "Make Admin"),
                    ("approve", "Approve"),
                    ("reject", "Reject"),
                    ("confirm_email", "Confirm Email"),
                    ("reset_password", "Reset Password"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            "moderationaction",
            "target_kind",
            models.CharField(
                choices=[
                    ("user", "User"),
                    ("page", "Page"),
                    ("post", "Post"),
                    ("registration", "Registration"),
                ],
                max_length=20,
            ),
        ),
    ]
