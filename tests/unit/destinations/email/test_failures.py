"""What a mail server says: its codes are for everybody, its words for operators alone."""

import smtplib
import ssl

import pytest

from apps.destinations.kinds.email.failures import LONGEST, failure_of, one_line, taken

WORDS = "relay7.corp.internal"


@pytest.mark.parametrize(
    ("code", "said", "codes"),
    [
        (550, b"5.1.1 relay7.corp.internal", "550 5.1.1"),
        (550, b"5.1.1", "550 5.1.1"),
        (550, b"relay7.corp.internal", "550"),
        (550, b"", "550"),
        (550, b"4.1.1 relay7.corp.internal", "550"),  # of another class than the code: not what it claims to be
        (550, b"5.1.1relay7.corp.internal", "550"),
        (550, b"5.1234.1 relay7.corp.internal", "550"),
        (550, b"10.4.5.6 relay7.corp.internal", "550"),
        (451, b"4.7.1\nrelay7.corp.internal", "451 4.7.1"),
        (550, b"\xff\x005.1.1 relay7.corp.internal", "550"),
    ],
)
def test_codes_alone_are_shown(code: int, said: bytes, codes: str) -> None:
    for error, sentence in (
        (smtplib.SMTPResponseException(code, said), f"the mail server refused us: {codes}"),
        (smtplib.SMTPDataError(code, said), f"the mail server refused the letter: {codes}"),
        (smtplib.SMTPSenderRefused(code, said, "t@example.com"), f"the mail server refused the sender: {codes}"),
        (smtplib.SMTPRecipientsRefused({"a@b": (code, said)}), f"the mail server refused a@b: {codes}"),
        (smtplib.SMTPAuthenticationError(code, said.decode("latin-1")), f"the mail server refused us: {codes}"),
    ):
        outcome = failure_of(error, 1.0)
        assert outcome["detail"] == sentence
        assert outcome["error"] == {4: "smtp_deferred", 5: "smtp_refused"}[code // 100]
        assert one_line(outcome["inner"]).isprintable()
        assert (WORDS in outcome["inner"]) == (WORDS.encode() in said)


@pytest.mark.parametrize("code", [-1, 0, 7, 999])
def test_what_is_no_code_is_no_answer(code: int) -> None:
    outcome = failure_of(smtplib.SMTPHeloError(code, WORDS), 1.0)
    assert (outcome["error"], outcome["detail"]) == ("protocol_error", "no answer of a mail server: SMTPHeloError")
    assert WORDS in outcome["inner"]


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPServerDisconnected(WORDS),
        smtplib.SMTPNotSupportedError(WORDS),
        smtplib.SMTPException(WORDS),
        ssl.SSLCertVerificationError(1, f"certificate is not valid for {WORDS}"),
        OSError(WORDS),
        RuntimeError(WORDS),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_other_failure_has_words_for_everybody(error: Exception) -> None:
    outcome = failure_of(error, 1.0)
    assert WORDS not in outcome["detail"]
    assert WORDS in outcome["inner"]


def test_one_taken_for_some_says_for_whom_not() -> None:
    outcome = taken({"a@b": (550, b"5.1.1 relay7.corp.internal")})
    assert outcome["detail"] == "not for a@b: 550 5.1.1"
    assert WORDS in outcome["inner"]
    assert "inner" not in taken({})


def test_words_without_end_have_one() -> None:
    assert len(one_line(failure_of(smtplib.SMTPDataError(554, b"x" * 100_000), 1.0)["inner"])) <= LONGEST
