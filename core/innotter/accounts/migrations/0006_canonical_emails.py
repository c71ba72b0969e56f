from django.db import IntegrityError, migrations, transaction

from innotter.common.emails import canonical_email


def to_canonical_form(apps, schema_editor):
    User = apps.get_model("accounts", "User")
    for user in User.objects.only("email").order_by("id").iterator():
        try:
            email = canonical_email(user.email)
        except ValueError:
            continue
        if email != user.email:
            try:
                with transaction.atomic():
                    User.objects.filter(pk=user.pk).update(email=email)
            except IntegrityError:
                continue


class Migration(migrations.Migration):
    """E-mail addresses take their canonical form.

    A row stays as it is where no mail system takes its address, or where the canonical form is
    another account's already: its user logs in as before, by the username or by the address as it
    was typed, and nobody is merged with anybody. `email <> lower(email) OR email ~ '[^ -~]'`
    finds most of these.
    """

    dependencies = [("accounts", "0005_sessions_pruned_and_known_ips")]

    operations = [migrations.RunPython(to_canonical_form, migrations.RunPython.noop)]
