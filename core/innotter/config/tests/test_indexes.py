"""No index is kept whose rows another finds as well."""

from django.db import connection

# Those that are unique say something besides. A partial index is as good for a column that it
# only wants to have a value.
BEGINNINGS = """
SELECT whole.indexrelid::regclass::text, longer.indexrelid::regclass::text
FROM pg_index AS whole
JOIN pg_class AS owner ON owner.oid = whole.indrelid
JOIN pg_index AS longer USING (indrelid)
JOIN pg_attribute AS first ON first.attrelid = indrelid AND first.attnum = whole.indkey[0]
WHERE owner.relname ~ '^(accounts|common|events|mail|media|moderation|pages|posts|statistics)_'
  -- Django's own, of a many-to-many relation.
  AND owner.relname <> 'pages_page_tags'
  AND NOT whole.indisunique AND whole.indpred IS NULL AND whole.indexprs IS NULL
  AND longer.indkey::text LIKE whole.indkey::text || ' %'
  AND whole.indclass[0] = longer.indclass[0]
  AND coalesce(pg_get_expr(longer.indpred, indrelid), '') IN (
    '', format('(%I IS NOT NULL)', first.attname)
  )
"""


def test_no_index_is_the_beginning_of_another(db: None) -> None:
    with connection.cursor() as cursor:
        # Nothing of it is a parameter.
        cursor.execute(BEGINNINGS, None)
        assert cursor.fetchall() == []
