import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.demo.conftest import WEATHER

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_until_open(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on {port}")


def run(port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "routing.demo", "--port", str(port)], cwd=ROOT)


@pytest.fixture
def port() -> Iterator[int]:
    port = free_port()
    process = run(port)
    try:
        wait_until_open(port)
        yield port
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=2) == 0
    finally:
        process.kill()
        process.wait()


def test_openai_client_gets_json_a_stream_and_a_tool_call(port: int) -> None:
    messages = [{"role": "user", "content": "How is the weather?"}]
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="any") as client:
        whole = client.chat.completions.create(model="a/b", messages=messages)
        stream = client.chat.completions.create(
            model="a/b", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
        called = client.chat.completions.create(model="a/b", messages=messages, tools=[WEATHER])

    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    function = called.choices[0].message.tool_calls[0].function
    assert whole.choices[0].message.content == streamed
    assert whole.usage == chunks[-1].usage
    assert json.loads(function.arguments) == {"city": "demo", "days": 3}


def test_a_taken_port_is_reported(port: int) -> None:
    second = run(port)

    assert second.wait(timeout=10) == 1
