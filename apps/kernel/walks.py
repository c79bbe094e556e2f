"""Lists that no index serves whole: a page reads a bounded walk along one, and the next page goes on from its end."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

WALK = 5_000  # rows that one page reads at most


def led_by(rows: QuerySet[Any], column: str, value: Any) -> QuerySet[Any]:
    """Those with the value, to be listed along the index that has the column and then the id.

    As a range, and ordered by both: of an equality PostgreSQL knows that the id alone is the order, and may prefer the
    primary key, past everybody else's rows to the first of these.
    """
    return rows.filter(**{f"{column}__gte": value, f"{column}__lte": value}).order_by(column, "pk")


def order_of(rows: QuerySet[Any], newest_first: bool = True) -> list[str]:
    """The columns to list `rows` by: the one they are led by, if any, and the id."""
    sign = "-" if newest_first else ""
    return [*(f"{sign}{column}" for column in rows.query.order_by[:-1]), f"{sign}pk"]


def end_of_walk(rows: QuerySet[Any], order: Sequence[str] = ("-pk",)) -> Any:
    """The key of the last row that a walk along `rows` reads; None where it comes to their end."""
    keys = rows.order_by(*order).values_list(order[-1].lstrip("-"), flat=True)
    return next(iter(keys[WALK - 1 : WALK]), None)


def up_to(rows: QuerySet[Any], end: Any, order: Sequence[str] = ("-pk",)) -> QuerySet[Any]:
    """Those of `rows` that the walk comes by, its last row included."""
    comparison = "gte" if order[-1].startswith("-") else "lte"
    return rows if end is None else rows.filter(**{f"{order[-1].lstrip('-')}__{comparison}": end})
