import django.db.models.deletion
import django.db.models.functions.datetime
import innotter_contracts.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """`email` is the confirmed mailbox: those that are there count as confirmed."""

    dependencies = [
        ('accounts', '0008_former_usernames'),
        ('media', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='AccountMail',
            fields=[
                ('id', models.UUIDField(default=innotter_contracts.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('kind', models.CharField(max_length=30)),
                ('address', models.CharField(max_length=254)),
                ('language', models.CharField(choices=[('en', 'English'), ('ru', 'Russian')], max_length=2)),
                ('facts', models.JSONField(default=dict)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('sent', 'Sent'), ('failed', 'Failed'), ('skipped', 'Skipped')], db_default='waiting', max_length=10)),
                ('due_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('claimed_until', models.DateTimeField(null=True)),
                ('attempts', models.PositiveIntegerField(db_default=0)),
                ('error', models.TextField(db_default='')),
                ('sent_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name_plural': 'account mails',
            },
        ),
        migrations.CreateModel(
            name='FormerMailbox',
            fields=[
                ('id', models.UUIDField(default=innotter_contracts.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('mailbox', models.CharField(max_length=254, unique=True)),
                ('reserved_until', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='MailToken',
            fields=[
                ('id', models.UUIDField(default=innotter_contracts.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('purpose', models.CharField(choices=[('confirm', 'Confirm'), ('undo', 'Undo'), ('reset', 'Reset')], max_length=10)),
                ('mailbox', models.CharField(max_length=254)),
                ('digest', models.CharField(max_length=64, unique=True)),
                ('expires_at', models.DateTimeField()),
                ('spent_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name='user',
            name='links_void_before',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='user',
            name='pending_email',
            field=models.EmailField(blank=True, db_default='', default='', max_length=254),
        ),
        migrations.AddField(
            model_name='user',
            name='pending_since',
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name='user',
            name='email',
            field=models.EmailField(blank=True, max_length=254, null=True),
        ),
        migrations.AddIndex(
            model_name='user',
            index=models.Index(condition=models.Q(('pending_email', ''), _negated=True), fields=['pending_email'], name='user_claims'),
        ),
        migrations.AddField(
            model_name='accountmail',
            name='user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='formermailbox',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='mailtoken',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='accountmail',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['due_at', 'id'], name='account_mail_due'),
        ),
        migrations.AddIndex(
            model_name='accountmail',
            index=models.Index(condition=models.Q(('state', 'waiting'), _negated=True), fields=['updated_at'], name='account_mail_over'),
        ),
        migrations.AddIndex(
            model_name='formermailbox',
            index=models.Index(fields=['reserved_until'], name='former_mailbox_end'),
        ),
        migrations.AddIndex(
            model_name='mailtoken',
            index=models.Index(fields=['expires_at'], name='mail_token_expiry'),
        ),
    ]
