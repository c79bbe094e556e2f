"""The admin's theme and menu."""

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Trunkline",
    "SITE_HEADER": "Trunkline",
}
