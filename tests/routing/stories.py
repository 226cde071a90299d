"""Steps that whole stories share: models on offer, saved settings, what became of a request."""

from typing import Any

import httpx

from activity.models import Generation
from routing.models import AutoRouterSettings
from tests.conftest import Api, in_db
from tests.factories import make_offer

# From cheap to dear, and as able as dear: slugs of the engine's table of abilities.
PRICES = {
    "mistralai/mistral-small-3.2-24b-instruct-2506": ("0.00000006", "0.00000018"),
    "google/gemini-3-flash-preview": ("0.0000005", "0.000003"),
    "anthropic/claude-haiku-4.5": ("0.000001", "0.000005"),
    "anthropic/claude-opus-4.6": ("0.000005", "0.000025"),
}
SMALL, FLASH, HAIKU, OPUS = PRICES


async def offer(api: Api, *offers: dict[str, Any]) -> None:
    """Put endpoints on offer, each as the fields of make_offer."""
    for fields in offers:
        await in_db(make_offer)(**fields)
    await api.refresh()


async def offer_pool(api: Api) -> None:
    await offer(
        api,
        *(
            {"slug": slug, "prices": {"prompt": prompt, "completion": completion}}
            for slug, (prompt, completion) in PRICES.items()
        ),
    )


async def save_settings(api: Api, **fields: Any) -> None:
    await AutoRouterSettings.objects.aupdate_or_create(user_id=api.key.user_id, defaults=fields)
    await api.refresh()


async def row_of(response: httpx.Response) -> Generation:
    return await Generation.objects.aget(id=response.headers["X-Generation-Id"])


def auto(**fields: Any) -> list[dict[str, Any]]:
    """The plugins of a request that sets these of the auto-router's fields."""
    return [{"id": "auto-router"} | fields]


def model_of(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return str(response.json()["model"])


def author_of(response: httpx.Response) -> str:
    return model_of(response).split("/")[0]


def message_of(response: httpx.Response) -> str:
    return str(response.json()["error"]["message"])
