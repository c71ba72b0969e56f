from django.db import migrations


class Migration(migrations.Migration):
    """Each row is updated once and deleted once: by default a fifth of a week's rows would be dead
    before the first VACUUM."""

    dependencies = [
        ('events', '0003_epochs'),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE events_outboxevent SET (autovacuum_vacuum_scale_factor = 0.02)",
            "ALTER TABLE events_outboxevent RESET (autovacuum_vacuum_scale_factor)",
        ),
    ]
