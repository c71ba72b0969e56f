from django.db import migrations, models


class Migration(migrations.Migration):
    """Of `until`, by which the counters are pruned. Counters begin anew: it costs no wait."""

    dependencies = [("common", "0002_fold_text")]

    operations = [
        migrations.RunSQL("TRUNCATE common_usage", migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="usage", index=models.Index(fields=["until"], name="usage_until")
        ),
    ]
