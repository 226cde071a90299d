"""What Auto Router is compared with: LiteLLM's proxy, and the reference of the CPU check."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.machine import on_core
from bench.processes import Server
from bench.product import granian
from bench.traffic import Target

# Its fast case: no database, so neither keys nor a row per request, and no telemetry.
LITELLM_CONFIG = """
model_list:
  - model_name: gpt-fake
    litellm_params:
      model: openai/gpt-fake
      api_base: http://127.0.0.1:{port}/v1
      api_key: sk-fake
litellm_settings:
  telemetry: false
"""
LITELLM_ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "LITELLM_LOG": "ERROR",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
}


def litellm_version(home: Path) -> str:
    """The installed version, or "" if there is none."""
    python = home / "bin" / "python"
    if not python.exists():
        return ""
    program = "import importlib.metadata as m; print(m.version('litellm'))"
    done = subprocess.run([str(python), "-c", program], capture_output=True, text=True, check=False)
    return done.stdout.strip()


@contextmanager
def litellm(home: Path, folder: Path, upstream_port: int, port: int, core: int) -> Iterator[Target]:
    config = folder / "litellm.yaml"
    config.write_text(LITELLM_CONFIG.format(port=upstream_port))
    options = f"--config {config} --host 127.0.0.1 --port {port} --num_workers 1"
    command = on_core(core)([str(home / "bin" / "litellm"), *options.split()])
    # Our DATABASE_URL must not become its database.
    ours = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with Server(command, folder / "litellm.log", {**ours, **LITELLM_ENVIRONMENT}) as server:
        server.wait_until_ready(f"http://127.0.0.1:{port}/health/liveliness")
        yield Target(name="litellm", port=port, processes=(server.pid,))


@contextmanager
def reference(folder: Path, upstream_port: int, port: int, core: int) -> Iterator[Target]:
    """A bare proxy on the same server and the same core."""
    command = granian("bench.reference_app:application", port, core)
    environment = {**os.environ, "BENCH_UPSTREAM": f"http://127.0.0.1:{upstream_port}"}
    with Server(command, folder / "reference.log", environment) as server:
        server.wait_until_ready(f"http://127.0.0.1:{port}/")
        yield Target(name="reference", port=port, processes=(server.pid,))


@contextmanager
def fake_upstream(folder: Path, port: int) -> Iterator[Target]:
    """The upstream itself, on the core of the load, which this process is on."""
    with Server([str(folder / "fake_upstream"), str(port)], folder / "upstream.log") as server:
        server.wait_until_ready(f"http://127.0.0.1:{port}/v1/models")
        yield Target(name="direct", port=port, processes=())
