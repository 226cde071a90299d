import os
import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from activity.journal import Journal, workers


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", 7)

    journal.append({"id": "gen-1", "cost": "0.000000005"})
    journal.append({"id": "gen-2", "text": "日本\n\u2028"})

    assert Journal(tmp_path / "journal", 7).read() == [
        {"id": "gen-1", "cost": "0.000000005"},
        {"id": "gen-2", "text": "日本\n\u2028"},
    ]


def test_an_empty_journal_holds_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", 7)

    journal.clear()

    assert journal.read() == []


def test_what_is_cleared_is_gone(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 7)
    journal.append({"id": "gen-1"})

    journal.clear()

    assert (journal.read(), workers(tmp_path)) == ([], [])


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_a_line_that_a_crash_cut_off_is_left_out(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path, 7)
    journal.append({"id": "gen-1"})
    journal.append({"id": "gen-2"})
    journal.path.write_bytes(journal.path.read_bytes()[:-cut])

    assert journal.read()[0] == {"id": "gen-1"}
    assert len(journal.read()) == (2 if cut == 1 else 1)


def test_what_is_put_aside_again_is_put_aside_once(tmp_path: Path) -> None:
    # A replay that a later line ends begins anew, with the line that it had put aside.
    journal = Journal(tmp_path, 7)
    journal.reject({"id": "gen-1", "text": "日本"})
    journal.reject({"id": "gen-2"})

    Journal(tmp_path, 7).reject({"id": "gen-1", "text": "日本"})

    aside = (tmp_path / "7.rejected").read_text().splitlines()
    assert [orjson.loads(line)["id"] for line in aside] == ["gen-1", "gen-2"]


def test_a_journal_is_for_its_owner_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 7)

    journal.append({"id": "gen-1"})

    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


def test_line_and_name_are_on_the_disk_before_append_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[bool] = []
    real = os.fsync

    def noted(descriptor: int) -> None:
        flushed.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    journal = Journal(tmp_path, 7)

    journal.append({"id": "gen-1"})
    journal.append({"id": "gen-2"})

    assert flushed == [False, True, False]


def test_the_workers_are_those_with_a_journal(tmp_path: Path) -> None:
    Journal(tmp_path, 7).append({})
    Journal(tmp_path, 12).append({})
    (tmp_path / "notes.jsonl").write_text("x")

    assert sorted(workers(tmp_path)) == [7, 12]


def test_no_folder_means_no_workers(tmp_path: Path) -> None:
    found: list[Any] = workers(tmp_path / "journal")

    assert found == []
