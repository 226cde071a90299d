from django.db import migrations

# Django adds one for LIKE beside every key of letters; a session is looked up by all of its own.
NAME = "routing_pin_key_2179bf41_like"
CREATE = f"CREATE INDEX IF NOT EXISTS {NAME} ON routing_pin (key varchar_pattern_ops)"


class Migration(migrations.Migration):
    dependencies = [("routing", "0006_bound_prices")]

    operations = [migrations.RunSQL(f"DROP INDEX IF EXISTS {NAME}", CREATE)]
