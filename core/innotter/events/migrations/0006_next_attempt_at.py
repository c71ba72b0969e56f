from django.db import migrations, models


class Migration(migrations.Migration):
    """No version that knows the old name has been released, so that none still runs with it."""

    dependencies = [
        ('events', '0005_epoch_of_the_moment'),
    ]

    operations = [
        # Their conditions name the field.
        migrations.RemoveIndex(
            model_name='outboxevent',
            name='outbox_waiting',
        ),
        migrations.RemoveIndex(
            model_name='outboxevent',
            name='outbox_set_aside',
        ),
        migrations.RenameField(
            model_name='outboxevent',
            old_name='set_aside_until',
            new_name='next_attempt_at',
        ),
        migrations.AddIndex(
            model_name='outboxevent',
            index=models.Index(condition=models.Q(('next_attempt_at', None), ('published_at', None)), fields=['id'], name='outbox_waiting'),
        ),
        migrations.AddIndex(
            model_name='outboxevent',
            index=models.Index(condition=models.Q(('next_attempt_at__isnull', False), ('published_at', None)), fields=['next_attempt_at'], name='outbox_deferred'),
        ),
    ]
