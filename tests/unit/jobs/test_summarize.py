"""What the command line of summaries in bulk takes."""

from __future__ import annotations

import pytest

from jobs.summarize import in_flight_of, main


@pytest.mark.parametrize("text", ["0", "-1", "1025", "many", "", "1.5", "²", "9" * 100])
def test_a_number_of_open_requests_that_cannot_be_is_refused_in_words(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--all", f"--in-flight={text}"])
    assert caught.value.code == 2
    assert "is no number from 1 to 1024" in capsys.readouterr().err


def test_one_and_the_most_are_taken() -> None:
    assert [in_flight_of("1"), in_flight_of("1024")] == [1, 1024]
