"""Leave half of each page of `calculations` free: every calculation updates its row a few times, inside its page."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('orchestrator', '0001_initial'),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE calculations SET (fillfactor = 50)",
            "ALTER TABLE calculations RESET (fillfactor)",
        ),
    ]
