from django.db import migrations

# Django adds one for LIKE beside every key of letters; nobody looks for a part of an id.
NAME = "activity_generation_id_a5b763ad_like"
CREATE = f"CREATE INDEX IF NOT EXISTS {NAME} ON activity_generation (id varchar_pattern_ops)"


class Migration(migrations.Migration):
    dependencies = [("activity", "0003_index_of_errors")]

    operations = [migrations.RunSQL(f"DROP INDEX IF EXISTS {NAME}", CREATE)]
