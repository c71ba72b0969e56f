"""A text as it is compared by search and the panel, by the tables of Unicode that PostgreSQL has.

A PostgreSQL with other tables needs a REINDEX of what stands on it, as after any major upgrade.
"""

from django.db import migrations

# Compatibility caseless match (Unicode, D146), with ё as е, and no difference between the four
# letters i that Turkish has. What is ASCII needs none of it: half of all the time.
FUNCTION = r"""
CREATE FUNCTION fold_text(text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN octet_length($1) = length($1) THEN lower($1 COLLATE pg_unicode_fast) ELSE
    translate(
        replace(
            normalize(casefold(normalize($1, NFKD) COLLATE pg_unicode_fast), NFKC),
            U&'i\0307', 'i'
        ),
        'ёı', 'еi'
    )
END
"""


class Migration(migrations.Migration):
    dependencies = [("common", "0001_initial")]

    operations = [migrations.RunSQL(FUNCTION, "DROP FUNCTION fold_text(text)")]
