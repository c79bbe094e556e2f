"""`manage.py demo`: a newcomer sees deliveries, and retries within a minute."""

import re
from collections import Counter

from tests.acceptance.conftest import Installer
from tests.acceptance.installation import Running
from tests.acceptance.server import free_port
from tests.acceptance.waiting import eventually

REFUSED = re.compile(r"refused 500 +invoice\.paid +(evt_\w+) +at /broken")


def test_the_demo_shows_deliveries_and_a_retry(install: Installer) -> None:
    with Running(install(), "demo", "--port", str(free_port()), "--rate", "5") as demo:
        eventually(lambda: "delivered" in demo.output(), patience=40, why=demo.output)
        eventually(lambda: _retried(demo.output()), patience=40, why=demo.output)
        assert "The demo runs at http://127.0.0.1:" in demo.output()
        assert demo.stop() == 0


def _retried(output: str) -> bool:
    """The same event was refused more than once."""
    return max(Counter(REFUSED.findall(output)).values(), default=0) > 1
