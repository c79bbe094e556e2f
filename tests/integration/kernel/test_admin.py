"""How the admin shows what strangers sent, and how it turns a time into a range of ids."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.kernel.admin import pretty_json, readable
from apps.kernel.admin.display import MOST_SHOWN, code_block
from apps.kernel.ids import first_id, new_uuid


@pytest.mark.parametrize("number", ["12345678901234567890123456789", "0.10", "1E400", "-0", "1e2"])
def test_numbers_stay_as_they_were_written(number: str) -> None:
    assert pretty_json(f'{{"n":{number}}}'.encode()) == f'{{\n  "n": {number}\n}}'


def test_what_is_no_json_is_shown_as_it_is() -> None:
    assert pretty_json(b"{broken \xff") == "{broken \ufffd"


def test_a_long_text_is_cut_and_says_so() -> None:
    shown = pretty_json(b"[" + b"0," * MOST_SHOWN + b"0]")
    assert shown.startswith("[0,0,")
    assert shown.endswith("… cut here: the whole has 200,003 bytes")


def test_indenting_does_not_outgrow_the_limit() -> None:
    assert len(pretty_json(b"[" * 60 + b"1," * 40_000 + b"1" + b"]" * 60)) < MOST_SHOWN + 100


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain\ttext\n", "plain\ttext\n"),
        ("Söhne".encode(), "Söhne"),
        (b"\x1b[31mred", "\ufffd[31mred"),
        (b"nul\x00 bell\x07", "nul\ufffd bell\ufffd"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("abc\u202edcb".encode(), "abc\ufffddcb"),
    ],
)
def test_bytes_become_harmless_text(raw: bytes, text: str) -> None:
    assert readable(raw) == text


def test_a_block_of_code_is_escaped() -> None:
    shown = code_block('</pre><script>x</script>"', '"><script>')
    assert "<script" not in shown
    assert "&lt;/pre&gt;&lt;script&gt;x&lt;/script&gt;&quot;" in shown


def test_the_first_id_of_a_moment_is_before_all_made_since() -> None:
    started = datetime.now(UTC)
    made = new_uuid()
    assert first_id(started) <= made
    assert first_id(started + timedelta(minutes=1)) > made
    assert first_id(started).version == 7
