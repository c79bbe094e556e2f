"""What `make run` greets with: all a newcomer needs, to be copied as it stands."""

import re

from apps.ops.setup import Welcome, banner

ADDRESS = "http://127.0.0.1:8000"


def test_the_first_time_it_shows_the_login_and_a_call_that_works() -> None:
    text = banner(ADDRESS, Welcome(password="pass-word", api_key="tl_abc"))
    assert "admin@localhost / pass-word" in text
    assert "shown only now" in text
    assert f"curl {ADDRESS}/api/v1/events" in text
    assert "Bearer tl_abc" in text
    assert "create_project" not in text


def test_later_it_shows_no_secret_and_how_to_get_a_new_key() -> None:
    text = banner(ADDRESS, Welcome())
    assert "tl_" not in text
    assert "as before" in text
    assert "create_project default" in text


def test_every_address_is_on_the_server_that_runs() -> None:
    addresses = re.findall(r"https?://[^/\s]+", banner("http://127.0.0.1:9999", Welcome()))
    assert set(addresses) == {"http://127.0.0.1:9999"}
    assert len(addresses) >= 5
