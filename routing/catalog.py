"""What can be asked for, at which provider and at what price, as one process sees it.

read_catalogue() is the one way from the tables to a decision: values, not rows. An endpoint that
cannot be called, or whose price is unknown, is not in it; its model says what would change that.
"""

import logging
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Prefetch

from routing.credentials import CredentialError, read_credential
from routing.engine.patterns import names_of
from routing.models import Endpoint, LanguageModel, Price, Provider
from routing.pricing import Rates
from routing.validators import validate_base_url

DEMO = "demo"
# Whose prices are the list prices: the catalogue was read there.
LISTING = "openrouter"
RATE_FIELDS = tuple(rate.name for rate in fields(Rates))

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Offer:
    """A usable endpoint: whom to call, under which name, and what it costs.

    One stands for an endpoint until the catalogue is read again; two are never equal.
    """

    id: int
    model: str
    provider: str
    provider_name: str
    base_url: str
    credential: str = field(repr=False)
    upstream_model: str
    context_length: int
    max_output_tokens: int | None
    supported_parameters: frozenset[str]
    rates: Rates
    cached_in_prompt: bool
    cancel_stops_billing: bool

    @cached_property
    def stored_prices(self) -> dict[str, str | int]:
        """Its rates as they are stored with each generation."""
        return self.rates.snapshot()

    @property
    def longest_answer(self) -> int:
        return self.max_output_tokens or self.context_length

    @property
    def request_price(self) -> Decimal:
        """USD for a request, whatever its length."""
        # A model with web_search_options searches at every request, asked or not.
        always_searches = "web_search_options" in self.supported_parameters
        return self.rates.request + (self.rates.web_search if always_searches else 0)

    @property
    def usual_context(self) -> int:
        """Its context, or where a long prompt begins to be dearer."""
        dearer_over = self.rates.long_context_over
        return self.context_length if dearer_over is None else min(self.context_length, dearer_over)


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the catalogue with its usable endpoints.

    unusable is empty, or one sentence that says what to switch on; offers is empty then. The
    cheapest offer is the first. rates are the cheapest offer's, else the list price, else None: no
    endpoint of it was ever priced.
    """

    slug: str
    canonical_slug: str
    names: tuple[str, ...]
    name: str
    created: int
    context_length: int
    max_output_tokens: int | None
    input_modalities: frozenset[str]
    output_modalities: frozenset[str]
    supported_parameters: frozenset[str]
    tokenizer: str
    hugging_face_id: str
    is_moderated: bool
    knowledge_cutoff: str | None
    expiration_date: str | None
    offers: tuple[Offer, ...]
    unusable: str
    rates: Rates | None


@dataclass(frozen=True, eq=False)
class Catalogue:
    """All models by slug; pool holds those that openrouter/auto may choose, usable or not."""

    models: Mapping[str, Model]
    by_name: Mapping[str, Model] = field(repr=False)
    pool: tuple[Model, ...] = field(repr=False)
    # What is worked out of it (see pool.py) and is forgotten with it, credentials included.
    worked_out: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def find(self, name: str) -> Model | None:
        """The model of this id, canonical slug or alias, in any case."""
        return self.by_name.get(name.lower())

    @cached_property
    def least_context(self) -> int:
        """Tokens of prompt and answer that every endpoint of the pool takes, at its usual price."""
        offers = (offer for model in self.pool for offer in model.offers)
        return min((offer.usual_context for offer in offers), default=0)

    @cached_property
    def least_answer(self) -> int:
        """Tokens of an answer that every endpoint of the pool can give."""
        offers = (offer for model in self.pool for offer in model.offers)
        return min((offer.longest_answer for offer in offers), default=0)


@dataclass(frozen=True, slots=True)
class ProviderState:
    """Whether a provider may be called; why says what keeps it on, or what would switch it on."""

    on: bool
    why: str
    credential: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """A provider as its operator wants to see it: its state and how many models it serves."""

    provider: Provider
    on: bool
    why: str
    usable_models: int


def read_catalogue() -> Catalogue:
    """Everything that can be asked for now, in three queries whatever its size."""
    endpoints = Endpoint.objects.select_related("provider").order_by("provider__name", "id")
    prices = Prefetch("prices", Price.objects.in_force(), to_attr="prices_in_force")
    rows = list(
        LanguageModel.objects.prefetch_related(
            Prefetch("endpoints", endpoints.prefetch_related(prices), to_attr="served")
        )
    )
    served = [endpoint for row in rows for endpoint in row.served]
    if not _demo_serves(served):
        served = [endpoint for endpoint in served if endpoint.provider.slug != DEMO]
    states = _states_of(served)
    kept = {endpoint.id for endpoint in served}
    models = [_model(row, [one for one in row.served if one.id in kept], states) for row in rows]
    return Catalogue(
        models=MappingProxyType({model.slug: model for model in models}),
        by_name=MappingProxyType(_by_name(models)),
        pool=tuple(
            model
            for model, row in zip(models, rows, strict=True)
            if row.in_auto_pool and row.enabled
        ),
    )


def read_providers() -> list[ProviderReport]:
    """Every provider with its state, by name, in five queries."""
    usable: dict[str, set[str]] = {}
    for model in read_catalogue().models.values():
        for offer in model.offers:
            usable.setdefault(offer.provider, set()).add(model.slug)
    serving = set(Endpoint.objects.filter(enabled=True).values_list("provider_id", flat=True))
    reports = []
    for provider in Provider.objects.all():
        state, count = provider_state(provider), len(usable.get(provider.slug, ()))
        if provider.slug == DEMO and state.on and not count:
            state = ProviderState(on=False, why="a provider with a key is in use")
        elif provider.pk not in serving:
            # A key would change nothing, so none is asked for.
            why = f"no endpoint of {provider.name} is on; switch one on or add one in the admin"
            state = ProviderState(on=False, why=why)
        reports.append(ProviderReport(provider, state.on, state.why, count))
    return reports


def provider_state(provider: Provider) -> ProviderState:
    """Whether a provider may be called, and why; a key that cannot be used never raises."""
    if not provider.enabled:
        return ProviderState(on=False, why=f"switch {provider.name} on in the admin")
    if provider.slug == DEMO and not settings.AUTOROUTER_DEMO_UPSTREAM:
        return ProviderState(on=False, why="set AUTOROUTER_DEMO_UPSTREAM to use the demo provider")
    try:
        validate_base_url(base_url_of(provider))
        credential = read_credential(provider)
    except ValidationError as error:
        reason = " ".join(error.messages)
        return ProviderState(on=False, why=f"correct the address of {provider.name}: {reason}")
    except CredentialError as error:
        return ProviderState(on=False, why=str(error))
    if provider.slug == DEMO:
        # It checks that a key is sent, as real ones do; any will do.
        return ProviderState(on=True, why="it needs no key", credential=DEMO)
    return _state_with(provider, credential)


def credential_problem(credential: str) -> str:
    """Why a key cannot be sent in a header, or ""; the key itself is never quoted."""
    if not credential.isascii() or not credential.isprintable() or " " in credential:
        return "A key holds printable ASCII characters without spaces; this one holds others."
    return ""


def base_url_of(provider: Provider) -> str:
    """Where a provider is called; the demo provider's address is the environment's."""
    if provider.slug == DEMO and settings.AUTOROUTER_DEMO_UPSTREAM:
        return f"http://{settings.AUTOROUTER_DEMO_UPSTREAM}/v1"
    return provider.base_url


def rates_of(price: Price) -> Rates:
    return Rates(**{name: getattr(price, name) for name in RATE_FIELDS})


def _state_with(provider: Provider, credential: str) -> ProviderState:
    variable = provider.environment_variable
    if provider.needs_credential and not credential:
        remedy = f"save a key for {provider.name} in the admin"
        return ProviderState(on=False, why=f"set {variable} or {remedy}" if variable else remedy)
    saved = f"its saved key, which ends in {provider.credential_hint}"
    source = saved if provider.credential else variable
    if problem := credential_problem(credential):
        return ProviderState(on=False, why=f"correct {source} of {provider.name}: {problem}")
    return ProviderState(
        on=True, why=f"by {source}" if credential else "it needs no key", credential=credential
    )


def _states_of(endpoints: Iterable[Endpoint]) -> dict[int, ProviderState]:
    """The state of each provider, found once: a warning is logged once, a key decrypted once."""
    providers = {endpoint.provider_id: endpoint.provider for endpoint in endpoints}
    states = {key: provider_state(provider) for key, provider in providers.items()}
    for key, state in states.items():
        if not state.on and _is_set_up(providers[key]):
            logger.warning("Provider %s is not usable: %s", providers[key].slug, state.why)
    return states


def _demo_serves(endpoints: Iterable[Endpoint]) -> bool:
    """Whether the demo provider answers: it is asked for, and nothing real is set up.

    A real provider whose key cannot be read counts as set up: its operator wants its answers or
    none, not the demo's at its price.
    """
    return bool(settings.AUTOROUTER_DEMO_UPSTREAM) and not any(
        endpoint.enabled and endpoint.provider.slug != DEMO and _is_set_up(endpoint.provider)
        for endpoint in endpoints
    )


def _is_set_up(provider: Provider) -> bool:
    has_key = provider.credential or settings.AUTOROUTER_PROVIDER_KEYS.get(
        provider.environment_variable
    )
    return provider.enabled and bool(has_key or not provider.needs_credential)


def _model(
    row: LanguageModel, endpoints: list[Endpoint], states: Mapping[int, ProviderState]
) -> Model:
    problems = {one.id: _problem(one, states[one.provider_id]) for one in endpoints}
    usable = [one for one in endpoints if row.enabled and not problems[one.id]]
    found = [_offer(row, one, states[one.provider_id].credential) for one in usable]
    offers = tuple(sorted(found, key=lambda offer: (_price(offer.rates), offer.provider)))
    return Model(
        slug=row.slug,
        canonical_slug=row.canonical_slug,
        names=names_of(row.slug, row.canonical_slug, row.alias),
        name=row.name,
        created=int(row.created.timestamp()),
        context_length=row.context_length,
        max_output_tokens=row.max_output_tokens,
        input_modalities=frozenset(row.input_modalities),
        output_modalities=frozenset(row.output_modalities),
        supported_parameters=frozenset(row.supported_parameters),
        tokenizer=row.tokenizer,
        hugging_face_id=row.hugging_face_id,
        is_moderated=row.is_moderated,
        knowledge_cutoff=row.knowledge_cutoff and row.knowledge_cutoff.isoformat(),
        expiration_date=row.expiration_date and row.expiration_date.isoformat(),
        offers=offers,
        unusable="" if offers else _unusable(row, problems.values()),
        rates=_shown_rates(row.served, offers),
    )


def _offer(row: LanguageModel, endpoint: Endpoint, credential: str) -> Offer:
    provider = endpoint.provider
    parameters = endpoint.supported_parameters
    return Offer(
        id=endpoint.id,
        model=row.slug,
        provider=provider.slug,
        provider_name=provider.name,
        base_url=base_url_of(provider),
        credential=credential,
        upstream_model=endpoint.upstream_model,
        context_length=endpoint.context_length or row.context_length,
        max_output_tokens=endpoint.max_output_tokens or row.max_output_tokens,
        supported_parameters=frozenset(
            row.supported_parameters if parameters is None else parameters
        ),
        rates=rates_of(endpoint.prices_in_force[0]),
        cached_in_prompt=provider.cached_in_prompt,
        cancel_stops_billing=provider.cancel_stops_billing,
    )


def _problem(endpoint: Endpoint, state: ProviderState) -> str:
    """What keeps an endpoint from being called and how to change it, or ""."""
    if not endpoint.enabled:
        return f"its endpoint at {endpoint.provider.name} is switched off in the admin"
    if not state.on:
        return state.why
    if not endpoint.prices_in_force:
        logger.warning("Endpoint %s has no price and is not used.", endpoint.id)
        return f"add a price to its endpoint at {endpoint.provider.name}"
    return ""


def _unusable(row: LanguageModel, problems: Iterable[str]) -> str:
    if not row.enabled:
        return f"{row.slug} is switched off; switch it on in the admin."
    remedies = "; ".join(dict.fromkeys(problem.rstrip(".") for problem in problems))
    return f"No endpoint of {row.slug} is usable: {remedies or 'add one in the admin'}."


def _shown_rates(served: list[Endpoint], offers: tuple[Offer, ...]) -> Rates | None:
    """The price to show: that of the cheapest offer, else the list price, else any."""
    if offers:
        return offers[0].rates
    priced = [endpoint for endpoint in served if endpoint.prices_in_force]
    priced.sort(key=lambda endpoint: endpoint.provider.slug != LISTING)
    return rates_of(priced[0].prices_in_force[0]) if priced else None


def _price(rates: Rates) -> Decimal:
    """What cheapest means: a token in and a token out."""
    return rates.prompt + rates.completion


def _by_name(models: list[Model]) -> dict[str, Model]:
    """Models by every name; where two share one, it is the id of the one that has it as its id."""
    index = {name: model for model in models for name in model.names}
    return index | {model.slug.lower(): model for model in models}
