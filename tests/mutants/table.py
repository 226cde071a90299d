"""The mutants: which text of which file becomes what, and the tests that must catch it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """A text that stands once in a file, and what takes its place."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A promise of docs/reliability.md, broken; each of the tests must fail by an assertion."""

    name: str
    edits: tuple[Edit, ...]
    caught_by: tuple[str, ...]


CLIENTS = "tests/faults/test_clients.py"
REAPER = "tests/activity/test_reaper.py"
RELAY = "tests/routing/test_relay.py"
STICKY = "tests/routing/test_sticky.py"
VIEW = "tests/routing/test_apiview.py"
WRITER = "tests/activity/test_writer.py"

MUTANTS = (
    Mutant(
        "a settlement without its guard",
        (
            Edit(
                "activity/ledger.py",
                "SELECT id FROM settling)) AND g.status || '' = 'open'",
                "SELECT id FROM settling))",
            ),
        ),
        (
            f"{WRITER}::test_a_second_settlement_changes_nothing",
            f"{WRITER}::test_a_settlement_whose_commit_was_not_heard_of_counts_once",
        ),
    ),
    Mutant(
        "settling in the client's `finally` only",
        (
            Edit(
                "routing/relay.py",
                "self._settling = asyncio.ensure_future(self._recording.settle(outcome, along))\n"
                "        await asyncio.shield(self._settling)",
                "self._settling = (outcome, along)",
            ),
            Edit(
                "routing/relay.py",
                '            self._client_left("client_left")\n',
                '            self._client_left("client_left")\n'
                "            if self._settling is not None:\n"
                "                await self._recording.settle(*self._settling)\n",
            ),
        ),
        (
            f"{CLIENTS}::test_who_leaves_mid_stream_pays_for_what_was_sent",
            f"{CLIENTS}::test_who_leaves_before_the_first_byte_pays_nothing",
        ),
    ),
    Mutant(
        "no settlement of a cancelled exchange",
        (Edit("routing/relay.py", "last = await self._stop()", "raise"),),
        (f"{RELAY}::test_an_exchange_that_is_cancelled_is_settled",),
    ),
    Mutant(
        "a budget checked, then added to, without its lock",
        (Edit("activity/ledger.py", "FOR UPDATE OF s\n", ""),),
        ("tests/activity/test_conflicts.py::test_two_writers_never_grant_the_same_room",),
    ),
    Mutant(
        "a budget without what is in flight",
        (Edit("activity/ledger.py", "return limit - spent - reserved", "return limit - spent"),),
        ("tests/activity/test_ledger.py::test_what_fits_is_reserved",),
    ),
    Mutant(
        "a pin without its tenant",
        (Edit("routing/sticky.py", "(str(account.user_id), completion", "(completion"),),
        (
            f"{STICKY}::test_two_tenants_never_share_a_session",
            f"{STICKY}::test_a_pin_names_user_session_and_slug",
        ),
    ),
    Mutant(
        "a remembered pool without its tenant's patterns",
        (
            Edit(
                "routing/pool.py",
                "catalogue.worked_out, (within, needs, preferences)",
                "catalogue.worked_out, (needs, preferences)",
            ),
        ),
        ("tests/routing/test_pool.py::test_patterns_and_preferences_have_pools_of_their_own",),
    ),
    Mutant(
        "usage summed over chunks",
        (
            Edit(
                "routing/progress.py",
                'self.reported = event["usage"]',
                'before, now = self.reported or {}, event["usage"]\n'
                "            both = {**before, **now}\n"
                '            names = ("prompt_tokens", "completion_tokens")\n'
                "            sums = {n: before.get(n, 0) + now.get(n, 0) for n in names}\n"
                "            self.reported = {**both, **sums}",
            ),
        ),
        ("tests/routing/test_progress.py::test_the_last_report_of_usage_counts",),
    ),
    Mutant(
        "a pin refreshed by an error",
        (
            Edit(
                "routing/relay.py",
                "error_code=error.status, error_type=error.error_type",
                "error_code=error.status, error_type=error.error_type, along=pin_statements("
                "self._account, self._decision, self._progress.offer, "
                "self._progress.usage(self._decision.prompt_tokens))",
            ),
        ),
        (
            f"{STICKY}::test_an_error_neither_refreshes_nor_rewrites_the_pin",
            f"{STICKY}::test_an_error_of_a_first_turn_sets_no_pin",
        ),
    ),
    Mutant(
        "a fallback after the first byte",
        (Edit("routing/relay.py", "if self._answered or not failure", "if not failure"),),
        (f"{RELAY}::test_an_answer_that_began_never_changes_hands",),
    ),
    Mutant(
        "no deadline between chunks",
        (Edit("routing/upstream.py", "settings.AUTOROUTER_NEXT_BYTE_SECONDS", "1e9"),),
        (f"{RELAY}::test_silence_after_the_first_word_ends_the_answer",),
    ),
    Mutant(
        "a completion's body without limit",
        (
            Edit("autorouter_site/lean.py", "if size > most:", "if size < 0:"),
            Edit("autorouter_site/lean.py", "int(length) > most", "int(length) < 0"),
        ),
        (
            f"{VIEW}::test_a_body_over_the_cap_is_too_large",
            f"{VIEW}::test_a_body_that_outgrows_the_cap_is_read_no_further",
        ),
    ),
    Mutant(
        "a page's body without limit",
        (Edit("autorouter_site/guard.py", "self._received > MOST_BODY_BYTES", "False"),),
        ("tests/site/test_guard.py::test_a_body_that_outgrows_the_cap_is_cut_off",),
    ),
    Mutant(
        "a call that does not wait for its intent",
        (
            Edit("activity/recording.py", "import secrets\n", "import asyncio\nimport secrets\n"),
            Edit(
                "activity/recording.py",
                "granted = await self._writer.open(row, call.opening(self.id))",
                "asyncio.ensure_future(self._writer.open(row, call.opening(self.id)))\n"
                "        granted = None",
            ),
        ),
        (f"{RELAY}::test_no_provider_is_called_before_the_intent_is_committed",),
    ),
    Mutant(
        "a price taken at the settlement",
        (
            Edit(
                "routing/relay.py",
                "lines = pricing.lines(usage, progress.offer.rates)\n        cost =",
                "models = self._process.snapshot.catalogue.models\n"
                "        rates = models[progress.offer.model].offers[0].rates\n"
                "        lines = pricing.lines(usage, rates)\n        cost =",
            ),
        ),
        (f"{RELAY}::test_a_price_that_changes_meanwhile_is_for_the_next",),
    ),
    Mutant(
        "leaving for free",
        (
            Edit(
                "routing/relay.py",
                "has_bill = progress.spoken > 0 or progress.reported is not None",
                "has_bill = False",
            ),
        ),
        (
            f"{CLIENTS}::test_who_leaves_mid_stream_pays_for_what_was_sent",
            f"{CLIENTS}::test_who_leaves_a_json_call_pays_for_the_whole_answer",
        ),
    ),
    Mutant(
        "a settlement lost while the database is away",
        (
            Edit(
                "activity/writer.py",
                'waits in the journal", settlement["id"])\n            await self._keep(entry)',
                'waits in the journal", settlement["id"])',
            ),
        ),
        (f"{WRITER}::test_without_a_database_a_settlement_waits_in_the_journal",),
    ),
    Mutant(
        "a journal that is not replayed",
        (
            Edit(
                "activity/reaper.py",
                "        replay(left)",
                "        left.clear()",
            ),
        ),
        (f"{REAPER}::test_the_journal_of_a_dead_worker_is_replayed",),
    ),
    Mutant(
        "an intent that nobody answered for, left open",
        (Edit("activity/writer.py", 'self._unsettled[intent.row["id"]] = Entry', "Entry"),),
        (f"{WRITER}::test_an_intent_whose_commit_was_not_heard_of_is_undone",),
    ),
    Mutant(
        "a reaper that asks for no lock",
        (Edit("activity/reaper.py", "AS w WHERE NOT EXISTS (", "AS w WHERE true OR EXISTS ("),),
        (f"{REAPER}::test_a_living_worker_keeps_its_rows",),
    ),
)
