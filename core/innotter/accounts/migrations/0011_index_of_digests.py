from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Made while users are written.
    atomic = False

    dependencies = [("accounts", "0010_clocks_and_devices")]

    operations = [
        AddIndexConcurrently(
            "user",
            models.Index(
                condition=models.Q(email_notifications="daily"),
                fields=["time_zone", "digest_hour"],
                name="user_digest",
            ),
        ),
    ]
