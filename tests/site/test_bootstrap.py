import base64
import errno
import os
import subprocess
import sys
from pathlib import Path

import environ
import pytest

from autorouter_site import bootstrap, embedded


def read(var_dir: Path) -> dict[str, str]:
    lines = (var_dir / "env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_writes_every_secret_and_the_address_of_the_database(tmp_path):
    bootstrap.write_secrets(tmp_path, {})

    made = read(tmp_path)

    assert set(made) == {*bootstrap.SECRETS, "DATABASE_URL"}
    assert made["DATABASE_URL"] == embedded.url(tmp_path)
    assert len(made["SECRET_KEY"]) >= 50


def test_credential_key_is_32_bytes_under_version_1(tmp_path):
    bootstrap.write_secrets(tmp_path, {})

    version, _, key = read(tmp_path)["AUTOROUTER_CREDENTIAL_KEYS"].partition(":")

    assert version == "1"
    assert len(base64.b64decode(key, validate=True)) == 32


def test_nobody_else_may_read_the_secrets(tmp_path):
    bootstrap.write_secrets(tmp_path, {})

    assert (tmp_path / "env").stat().st_mode & 0o777 == 0o600


def test_second_start_leaves_the_file_untouched(tmp_path):
    bootstrap.write_secrets(tmp_path, {})
    before = (tmp_path / "env").stat()

    bootstrap.write_secrets(tmp_path, {})

    assert (tmp_path / "env").stat() == before


def test_lines_of_the_operator_stay(tmp_path):
    (tmp_path / "env").write_text("# mine\nOPENROUTER_API_KEY=sk-or-1\nSECRET_KEY=mine\n")

    bootstrap.write_secrets(tmp_path, {})

    assert (
        (tmp_path / "env")
        .read_text()
        .startswith("# mine\nOPENROUTER_API_KEY=sk-or-1\nSECRET_KEY=mine\n")
    )
    assert set(read(tmp_path)) == {*bootstrap.SECRETS, "DATABASE_URL", "OPENROUTER_API_KEY"}


def test_what_the_environment_sets_is_left_out(tmp_path):
    bootstrap.write_secrets(tmp_path, {"SECRET_KEY": "x", "DATABASE_URL": "postgresql:///mine"})

    assert set(read(tmp_path)) == {"AUTOROUTER_KEY_PEPPER", "AUTOROUTER_CREDENTIAL_KEYS"}


def test_moved_folder_gets_the_new_address_of_its_database(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    bootstrap.write_secrets(old, {})
    secret = read(old)["SECRET_KEY"]

    old.rename(new)
    bootstrap.write_secrets(new, {})

    assert read(new)["DATABASE_URL"] == embedded.url(new)
    assert read(new)["SECRET_KEY"] == secret


def test_database_of_the_operator_stays(tmp_path):
    (tmp_path / "env").write_text("DATABASE_URL=postgresql://me@db.example/router\n")

    bootstrap.write_secrets(tmp_path, {})

    assert read(tmp_path)["DATABASE_URL"] == "postgresql://me@db.example/router"


def test_settings_can_read_the_address_of_a_folder_with_a_space(tmp_path):
    folder = tmp_path / "my router"
    bootstrap.write_secrets(folder, {})

    database = environ.Env.db_url_config(read(folder)["DATABASE_URL"])

    assert database["NAME"] == "autorouter"
    assert database["OPTIONS"] == {"host": str(embedded.EmbeddedPostgres(folder).place.sockets)}


def test_demo_provider_is_listed_as_a_private_upstream(tmp_path):
    made = {"AUTOROUTER_VAR_DIR": str(tmp_path), "AUTOROUTER_PRIVATE_UPSTREAMS": "127.0.0.1:11434"}

    bootstrap.prepare([], made)

    demo = made["AUTOROUTER_DEMO_UPSTREAM"]
    assert made["AUTOROUTER_PRIVATE_UPSTREAMS"] == f"127.0.0.1:11434,{demo}"


def test_no_demo_provider_where_none_is_wanted(tmp_path):
    made = {"AUTOROUTER_VAR_DIR": str(tmp_path)}

    bootstrap.prepare(["--no-demo"], made)

    assert "AUTOROUTER_DEMO_UPSTREAM" not in made


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("192.0.2.2", "localhost,127.0.0.1,[::1],192.0.2.2"),
        ("2001:db8::2", "localhost,127.0.0.1,[::1],[2001:db8::2]"),
        ("127.0.0.1", "localhost,127.0.0.1,[::1]"),
        ("0.0.0.0", None),
        ("::", None),
    ],
)
def test_address_that_is_listened_on_is_let_in(tmp_path, host, names):
    made = {"AUTOROUTER_VAR_DIR": str(tmp_path)}

    bootstrap.prepare(["--no-demo", f"--host={host}"], made)

    assert made.get("AUTOROUTER_HOSTS") == names


def test_names_of_the_operator_stay(tmp_path):
    made = {"AUTOROUTER_VAR_DIR": str(tmp_path), "AUTOROUTER_HOSTS": "router.example"}

    bootstrap.prepare(["--host", "192.0.2.2"], made)

    assert made["AUTOROUTER_HOSTS"] == "router.example"


@pytest.mark.parametrize("start", ["", "export "])
def test_names_in_the_file_stay(tmp_path, start):
    (tmp_path / "env").write_text(f"{start}AUTOROUTER_HOSTS=router.example\n")
    made = {"AUTOROUTER_VAR_DIR": str(tmp_path)}

    bootstrap.prepare(["--host", "192.0.2.2"], made)

    assert "AUTOROUTER_HOSTS" not in made


def test_folder_that_cannot_be_written_ends_with_a_sentence(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(SystemExit, match="AUTOROUTER_VAR_DIR"):
        bootstrap.prepare([], {"AUTOROUTER_VAR_DIR": str(tmp_path / "file" / "var")})


def test_secrets_that_are_no_text_are_told_and_kept(tmp_path):
    (tmp_path / "env").write_bytes(b"SECRET_KEY=\xff")

    with pytest.raises(SystemExit, match=f"{tmp_path}/env is no text: byte 11 is not UTF-8"):
        bootstrap.prepare([], {"AUTOROUTER_VAR_DIR": str(tmp_path)})

    assert (tmp_path / "env").read_bytes() == b"SECRET_KEY=\xff"


def test_a_full_disk_is_told_with_another_way_out(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device")

    told = bootstrap.cannot_write(full, tmp_path)

    assert told.startswith(f"Cannot write {tmp_path}: No space left on device. Free some space")


def test_importing_it_does_not_import_django():
    program = "import sys, autorouter_site.bootstrap; print('django' in sys.modules)"

    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd=bootstrap.BASE_DIR,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout == "False\n"
