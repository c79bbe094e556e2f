"""What the database says in the end: a line of JSON for each delivery, with its attempts. A Django process."""

import json
import os
from collections import defaultdict
from collections.abc import Iterator

import django


def _rows() -> Iterator[list[object]]:
    from apps.deliveries.models import Attempt, Delivery
    from apps.kernel.ids import encode

    tries: dict[object, list[tuple[int, str]]] = defaultdict(list)
    for delivery_id, number, outcome in Attempt.objects.values_list("delivery_id", "number", "outcome"):
        tries[delivery_id].append((number, outcome))
    columns = ("pk", "event_id", "state", "attempts", "failures")
    for pk, event_id, *rest in Delivery.objects.values_list(*columns):
        made = sorted(tries[pk])
        outcomes, numbers = [outcome for _, outcome in made], [number for number, _ in made]
        yield [encode("evt", event_id), *rest, outcomes, numbers]


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    for row in _rows():
        print(json.dumps(row))
