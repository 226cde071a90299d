import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autorouter_site import supervisor as module
from autorouter_site.supervisor import BoundedLog, ChildDied, Supervisor

pytestmark = pytest.mark.slow


@pytest.fixture
def supervisor(tmp_path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path)
    yield supervisor
    supervisor.kill()
    supervisor.stop(*[child.name for child in supervisor.children])


@pytest.fixture
def start(supervisor) -> Callable[[str], subprocess.Popen[bytes]]:
    """Starts a child that behaves so, and waits until it has said something."""

    def start(behaviour: str) -> subprocess.Popen[bytes]:
        supervisor.start(behaviour, "tests.site.child", behaviour)
        child = supervisor.children[-1]
        wait_until(lambda: bool(child.tail), supervisor)
        return child.process

    return start


def wait_until(happened: Callable[[], bool], supervisor: Supervisor) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        supervisor.watch(0.05)


def runs(pid: int) -> bool:
    """Whether the process does anything; a dead one that nobody has waited for does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_stop_ends_a_child(supervisor, start):
    process = start("waits")

    supervisor.stop("waits")

    assert process.returncode == -signal.SIGTERM
    assert supervisor.children == []


def test_stop_leaves_the_others(supervisor, start):
    start("waits")
    other = start("stubborn")

    supervisor.stop("waits")

    assert other.poll() is None


def test_child_that_ignores_the_end_is_killed_after_its_grace(supervisor, start, monkeypatch):
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.2)
    process = start("stubborn")

    supervisor.stop("stubborn")

    assert process.returncode == -signal.SIGKILL


def test_death_of_a_child_is_told_with_its_last_lines(supervisor):
    supervisor.start("fails", "tests.site.child", "fails")

    with pytest.raises(ChildDied) as told:
        wait_until(lambda: False, supervisor)

    assert "The fails ended with status 3" in str(told.value)
    assert "\n  first line\n  second line" in str(told.value)


def test_a_full_disk_costs_lines_of_the_log_and_not_the_child(supervisor, start, tmp_path):
    (tmp_path / "waits.log").symlink_to("/dev/full")

    process = start("waits")

    assert process.poll() is None
    assert "up" in supervisor.children[0].tail


def test_a_log_that_cannot_be_turned_over_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOG_BYTES", 10)
    (tmp_path / "waits.log.1").mkdir()
    log = BoundedLog(tmp_path / "waits.log")

    log.write(b"0123456789")
    log.write(b"lost")
    (tmp_path / "waits.log.1").rmdir()
    log.write(b"kept")
    log.close()

    assert (tmp_path / "waits.log").read_bytes() == b"kept"


def test_a_log_that_was_moved_and_not_opened_anew_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOG_BYTES", 10)
    log = BoundedLog(tmp_path / "waits.log")
    log.write(b"0123456789")
    (tmp_path / "waits.log").rename(tmp_path / "waits.log.1")

    log.write(b"kept")
    log.close()

    assert (tmp_path / "waits.log").read_bytes() == b"kept"


def test_killed_child_is_told_by_its_signal(supervisor, start):
    start("waits").kill()

    with pytest.raises(ChildDied, match="ended by SIGKILL"):
        wait_until(lambda: False, supervisor)


def test_orphans_of_a_dead_child_are_ended(supervisor, start):
    process = start("parent")
    orphan = int(supervisor.children[0].tail[0])
    process.kill()
    process.wait()

    supervisor.stop("parent")

    assert not runs(orphan)


def test_kill_ends_children_at_once(supervisor, start):
    process = start("stubborn")

    supervisor.kill()

    assert process.wait(5) == -signal.SIGKILL


def test_log_of_a_child_is_bounded(supervisor, start, tmp_path):
    start("talks")

    wait_until(lambda: supervisor.children[0].tail[-1] == "done", supervisor)
    sizes = [file.stat().st_size for file in tmp_path.iterdir()]

    assert len(sizes) == 2
    assert max(sizes) <= module.LOG_BYTES


def test_children_die_with_us_even_by_kill_9(tmp_path):
    program = (
        "import sys, time; from pathlib import Path\n"
        "from autorouter_site.supervisor import Supervisor\n"
        "supervisor = Supervisor(Path(sys.argv[1]))\n"
        "supervisor.start('child', 'tests.site.child', 'waits')\n"
        "print(supervisor.children[0].process.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, cwd=module.BASE_DIR, stdout=subprocess.PIPE) as us:
        child = os.pidfd_open(int(us.stdout.readline()))

        us.kill()

    ended, _, _ = select.select([child], [], [], 10)
    os.close(child)
    assert ended
