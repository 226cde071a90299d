"""The two cores, and what processes use of them."""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
PROGRAMS = ("fake_upstream", "load")


class Unfit(Exception):
    """This machine cannot run the bench; the message says what it lacks."""


def take_cores() -> tuple[int, int]:
    """Move this process to the core of the load; give that core and the server's.

    Whatever is started from here on stays on the core of the load unless it is pinned elsewhere.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 or not shutil.which("taskset"):
        raise Unfit("The bench needs two cores and taskset (util-linux).")
    server, load = cores[0], cores[1]
    os.sched_setaffinity(0, {load})
    return load, server


def compile_programs(folder: Path) -> None:
    """Compile the C programs whose source is newer than what was compiled last."""
    compiler = shutil.which("cc")
    for name in PROGRAMS:
        source, binary = HERE / f"{name}.c", folder / name
        if binary.exists() and binary.stat().st_mtime > source.stat().st_mtime:
            continue
        if compiler is None:
            raise Unfit("The bench needs a C compiler called cc.")
        subprocess.run([compiler, "-O2", "-o", str(binary), str(source)], check=True)


def tree(roots: Iterable[int]) -> list[int]:
    """These processes and all that descend from them."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = _stat(int(stat.parent.name))
        if fields:
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = list(roots)
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_seconds(roots: Iterable[int]) -> float:
    """User and system time of these processes, their descendants, and those that ended."""
    return sum(sum(map(int, _stat(pid)[11:15])) for pid in tree(roots)) / TICKS


def resident_kilobytes(roots: Iterable[int]) -> int:
    return sum(_resident(pid) for pid in tree(roots))


def describe() -> dict[str, str]:
    cpu = "unknown processor"
    info = _read(Path("/proc/cpuinfo"))
    for line in info.splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return {
        "cpu": cpu,
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "commit": _commit(),
    }


def _commit() -> str:
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def on_core(core: int) -> Callable[[list[str]], list[str]]:
    return lambda command: ["taskset", "-c", str(core), *command]


def _stat(pid: int) -> list[str]:
    """The fields of a process from its state on; none of one that ended."""
    return _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()


def _resident(pid: int) -> int:
    for line in _read(Path(f"/proc/{pid}/status")).splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
