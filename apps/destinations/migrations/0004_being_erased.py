"""A consumer that is being erased can't be deleted: its row says what is to be erased."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("destinations", "0003_operational_index"),
    ]

    operations = [
        migrations.AddField(
            model_name="consumer",
            name="being_erased",
            field=models.BooleanField(db_default=False, editable=False, help_text="by an operation that is open"),
        ),
    ]
