import os
import subprocess

import pytest

from tests.faults.gateway import children
from tests.faults.stack import Stack, open_folder

pytestmark = pytest.mark.slow


def test_what_starts_half_way_ends_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = children(os.getpid())
    # Database, upstream and proxies run by then; no such command exists.
    monkeypatch.setattr(Stack, "_set_up", lambda stack: stack.manage("unknown"))

    with open_folder() as folder, pytest.raises(subprocess.CalledProcessError):
        Stack(folder)

    assert children(os.getpid()) == before
