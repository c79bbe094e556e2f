"""Destinations by the thousand, through the same service as the REST door: [[url, event type pattern], …] on stdin."""

import json
import os
import sys
from itertools import batched

import django

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    from django.db import transaction

    from apps.accounts.models import Project
    from apps.audit.services import SYSTEM
    from apps.destinations.services import destination_create

    project = Project.objects.get(name="bench")
    for some in batched(json.load(sys.stdin), 200):
        with transaction.atomic():
            for url, pattern in some:
                config = {"url": url}
                destination_create(project=project, kind="webhook", config=config, event_types=[pattern], actor=SYSTEM)
