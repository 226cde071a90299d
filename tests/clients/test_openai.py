import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from django.core.management import call_command

from activity.models import Generation
from tests.factories import make_secret
from tests.faults.gateway import ROOT, free_port, running_gateway

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


@pytest.fixture
def demo() -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "routing.demo", "--port", address.split(":")[1]]
    process = subprocess.Popen(command, cwd=ROOT)
    deadline = time.monotonic() + 10
    while not _answers(f"http://{address}/livez"):
        assert time.monotonic() < deadline, "the demo provider did not start"
        time.sleep(0.05)
    yield address
    process.terminate()
    process.wait(timeout=10)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def client(
    transactional_db: None, demo: str, settings: Any, monkeypatch: Any, tmp_path: Path
) -> Iterator[openai.OpenAI]:
    settings.AUTOROUTER_DEMO_UPSTREAM = demo
    settings.AUTOROUTER_PRIVATE_UPSTREAMS = [demo]
    monkeypatch.setenv("AUTOROUTER_DEMO_UPSTREAM", demo)
    call_command("load_catalogue", verbosity=0)
    secret = make_secret()[1]
    (tmp_path / "static").mkdir()
    with (
        running_gateway(tmp_path, demo, workers=2) as gateway,
        openai.OpenAI(base_url=f"{gateway.url}/api/v1", api_key=secret, max_retries=0) as found,
    ):
        yield found


def ask(client: openai.OpenAI, text: str, **fields: Any) -> Any:
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="openrouter/auto", messages=messages, **fields)


def test_the_official_client_completes_and_reads_the_cost(client: openai.OpenAI) -> None:
    answer = ask(client, "Hello")

    row = Generation.objects.get(id=answer.id)
    assert answer.model == row.routed_model
    assert answer.usage.cost == pytest.approx(float(row.cost))
    assert answer.usage.prompt_tokens == row.prompt_tokens
    assert "demo provider" in answer.choices[0].message.content


def test_the_official_client_streams(client: openai.OpenAI) -> None:
    chunks = list(ask(client, "Hello", stream=True))

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert "demo provider" in text
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].usage.cost > 0


def test_the_official_client_calls_tools(client: openai.OpenAI) -> None:
    answer = ask(client, "What is the weather in Oslo?", tools=TOOLS)

    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "get_weather"
    assert answer.choices[0].finish_reason == "tool_calls"


def test_the_official_client_understands_our_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="acme/none is not a valid model ID"):
        client.chat.completions.create(
            model="acme/none", messages=[{"role": "user", "content": "Hello"}]
        )


@pytest.mark.parametrize("name", ["openrouter/auto", "openai/gpt-5-nano"])
def test_the_official_client_lists_and_retrieves_models(client: openai.OpenAI, name: str) -> None:
    listed = {model.id: model for model in client.models.list()}

    found = client.models.retrieve(name)

    assert found == listed[name]
    assert found.owned_by == name.split("/", maxsplit=1)[0]


def test_a_session_stays_with_its_model_across_two_workers(client: openai.OpenAI) -> None:
    prompts = (
        "hi",
        "Prove that there are infinitely many primes of the form 4k+3.",
        "Translate 'good morning' into Norwegian.",
        "Find the race condition in this lock-free queue and repair it.",
        "Write a limerick about databases.",
        "What is 2+2?",
    )
    alone = {ask(client, prompt).model for prompt in prompts}

    session = {"session_id": "talk-1"}
    together = {ask(client, prompt, extra_body=session).model for prompt in prompts}

    assert len(alone) > 1
    assert len(together) == 1
