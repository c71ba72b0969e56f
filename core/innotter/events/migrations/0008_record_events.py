"""Storing events takes one statement, alone or as a part of the change that they report."""

from django.db import migrations

# In plpgsql each statement sees what was committed before it: the second one the epochs that began
# while the first waited. 6663 is LOCK of events/services.py.
FUNCTION = """
CREATE FUNCTION record_events(stripes int[], events jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(6663, stripe) FROM unnest(stripes) AS stripe;

    INSERT INTO events_outboxevent (id, type, body, occurred_at)
    SELECT (body->>'id')::uuid, body->>'type', body || coalesce(epochs, '{}'),
        (body->>'occurred_at')::timestamptz
    FROM jsonb_to_recordset(events) AS event (body jsonb, pages uuid[])
    LEFT JOIN LATERAL (
        SELECT jsonb_build_object('epochs', jsonb_object_agg(page_id, number)) AS epochs
        FROM events_epoch WHERE page_id = ANY(pages) HAVING count(*) > 0
    ) AS known ON true;

    PERFORM pg_notify('innotter_outbox', '');
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0007_discarded_letters")]

    operations = [migrations.RunSQL(FUNCTION, "DROP FUNCTION record_events(int[], jsonb)")]
