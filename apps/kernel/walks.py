"""Lists that no index serves whole: a page reads a bounded walk along one, and the next page goes on from its end."""

from typing import Any

from django.db.models import QuerySet

WALK = 5_000  # rows that one page reads at most


def end_of_walk(rows: QuerySet[Any], order: str = "-pk") -> Any:
    """The key of the last row that a walk along `rows` reads; None where it comes to their end."""
    keys = rows.order_by(order).values_list(order.lstrip("-"), flat=True)
    return next(iter(keys[WALK - 1 : WALK]), None)


def up_to(rows: QuerySet[Any], end: Any, order: str = "-pk") -> QuerySet[Any]:
    """Those of `rows` that the walk comes by, its last row included."""
    comparison = "gte" if order.startswith("-") else "lte"
    return rows if end is None else rows.filter(**{f"{order.lstrip('-')}__{comparison}": end})
