"""Makes the file of secrets that settings.py reads; free of Django, which needs the secrets."""

import base64
import errno
import os
import secrets
import socket
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path

from autorouter_site import embedded

BASE_DIR = Path(__file__).resolve().parent.parent
DEMO_PORT = 9190
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
# What listens on all addresses, and the one that leads there from here.
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound
FULL = (errno.ENOSPC, errno.EDQUOT)
UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR)
HEADER = "# Made by quickstart. Keep it: without these keys nobody can read what they protect.\n"


def _credential_key() -> str:
    return f"1:{base64.b64encode(secrets.token_bytes(32)).decode()}"


SECRETS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "AUTOROUTER_KEY_PEPPER": lambda: secrets.token_urlsafe(32),
    "AUTOROUTER_CREDENTIAL_KEYS": _credential_key,
}

# Commands that read nothing but code and files; they run in a fresh checkout.
WITHOUT_DATABASE = ("train_router", "evaluate_router", "explain_route", "makemigrations")
UNUSED = {
    "SECRET_KEY": "unused" * 6,
    "AUTOROUTER_KEY_PEPPER": "unused" * 6,
    "AUTOROUTER_CREDENTIAL_KEYS": f"1:{base64.b64encode(bytes(32)).decode()}",
    "DATABASE_URL": "postgresql://unused@/unused?host=/nonexistent",
}


def fill_in(environ: MutableMapping[str, str]) -> None:
    """Set what settings.py insists on for a command that uses none of it."""
    for name, value in UNUSED.items():
        environ.setdefault(name, value)


def prepare(arguments: Sequence[str], environ: MutableMapping[str, str]) -> None:
    """Do before Django reads its settings what quickstart cannot do after."""
    var_dir = Path(environ.get("AUTOROUTER_VAR_DIR") or BASE_DIR / "var").resolve()
    # Children start in the project's folder, wherever we were started.
    environ["AUTOROUTER_VAR_DIR"] = str(var_dir)
    try:
        write_secrets(var_dir, environ)
    except OSError as error:
        sys.exit(cannot_write(error, var_dir))
    except UnicodeDecodeError as error:
        sys.exit(
            f"{var_dir / 'env'} is no text: byte {error.start} is not UTF-8. Put back a copy of "
            "it: without its keys nobody can read what they protect."
        )
    _let_in(_host_in(arguments), var_dir, environ)
    if "--no-demo" not in arguments and "AUTOROUTER_DEMO_UPSTREAM" not in environ:
        demo = f"127.0.0.1:{_free_port(DEMO_PORT)}"
        environ["AUTOROUTER_DEMO_UPSTREAM"] = demo
        listed = [environ.get("AUTOROUTER_PRIVATE_UPSTREAMS"), demo]
        environ["AUTOROUTER_PRIVATE_UPSTREAMS"] = ",".join(filter(None, listed))


def is_of_our_files(error: OSError) -> bool:
    """Whether an operator can mend it where our files are; a full disk may not say which one."""
    return error.errno in FULL or (error.errno in UNWRITABLE and error.filename is not None)


def cannot_write(error: OSError, var_dir: Path) -> str:
    """What to tell whom a file of ours could not be made for."""
    what = f"Cannot write {error.filename or var_dir}: {error.strerror}."
    if error.errno in FULL:
        return f"{what} Free some space, or name a folder elsewhere with AUTOROUTER_VAR_DIR."
    return (
        f"{what} Start as the user who owns that folder, or name another one with "
        "AUTOROUTER_VAR_DIR."
    )


def write_secrets(var_dir: Path, environ: Mapping[str, str]) -> None:
    """Complete the file of secrets; what the environment sets, wins and is left out.

    The address of the embedded database is written too, so that every other command of
    manage.py finds it while quickstart runs.
    """
    var_dir.mkdir(parents=True, exist_ok=True)
    path = var_dir / "env"
    before = _read(path)
    after = _completed(before or HEADER, environ, embedded.url(var_dir))
    if after != before:
        _write_private(path, after)


def as_host(address: str) -> str:
    """How a URL and a Host header write an address."""
    return f"[{address}]" if ":" in address else address


def _host_in(arguments: Sequence[str]) -> str:
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--host", default="")
    return str(parser.parse_known_args(arguments)[0].host)


def _let_in(host: str, var_dir: Path, environ: MutableMapping[str, str]) -> None:
    """Have the server answer to the address it listens on, unless AUTOROUTER_HOSTS is set."""
    is_set = "AUTOROUTER_HOSTS" in _known(_read(var_dir / "env").splitlines(), environ)
    names = [*LOCAL_HOSTS, as_host(host)]
    if host and host not in EVERY_ADDRESS and not is_set:
        environ["AUTOROUTER_HOSTS"] = ",".join(dict.fromkeys(names))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _known(lines: Sequence[str], environ: Mapping[str, str]) -> set[str]:
    """The variables that the file or the environment sets."""
    names = (line.partition("=")[0].strip().removeprefix("export ") for line in lines)
    return {name.strip() for name in names} | set(environ)


def _completed(text: str, environ: Mapping[str, str], database_url: str) -> str:
    # A folder that was moved has its database at a new address.
    stale = f"DATABASE_URL={embedded.URL_START}"
    lines = [line for line in text.splitlines() if not line.startswith(stale)]
    known = _known(lines, environ)
    lines += [f"{name}={make()}" for name, make in SECRETS.items() if name not in known]
    if "DATABASE_URL" not in known:
        lines.append(f"DATABASE_URL={database_url}")
    return "\n".join(lines) + "\n"


def _write_private(path: Path, text: str) -> None:
    """Replace the file whole, or not at all; nobody else may read it at any moment."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".env-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)


def _free_port(preferred: int) -> int:
    for port in (preferred, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as server:
                return int(server.getsockname()[1])
        except OSError:
            continue
    raise OSError("No port is free on 127.0.0.1.")
