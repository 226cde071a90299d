"""Tells every process which snapshot to drop: the table's name goes out by NOTIFY."""

from django.conf import settings
from django.db import migrations

CHANNEL = "autorouter_changed"
TABLES = (
    "routing_provider",
    "routing_languagemodel",
    "routing_endpoint",
    "routing_price",
    "routing_apikey",
    "routing_credit",
    "routing_autoroutersettings",
)

FUNCTION = f"""
CREATE FUNCTION autorouter_notify_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('{CHANNEL}', TG_TABLE_NAME);
    RETURN NULL;
END $$
"""


def trigger(table: str, event: str = "INSERT OR UPDATE OR DELETE OR TRUNCATE") -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER autorouter_changed AFTER {event} ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION autorouter_notify_change()",
        f"DROP TRIGGER autorouter_changed ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION autorouter_notify_change()"),
        *(trigger(table) for table in TABLES),
        # A sign-in writes last_login; only what decides about keys is announced.
        trigger("auth_user", "UPDATE OF is_active OR DELETE"),
    ]
