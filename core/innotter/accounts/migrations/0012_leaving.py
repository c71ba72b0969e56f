from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("accounts", "0011_index_of_digests")]

    operations = [
        migrations.AddField(
            "user",
            "deletes_at",
            models.DateTimeField(default=None, editable=False, null=True),
        ),
        migrations.AddIndex(
            "user",
            models.Index(
                condition=Q(("deletes_at__isnull", False)),
                fields=["deletes_at"],
                name="user_leaving",
            ),
        ),
    ]
