"""Provider's answer out, part by part: one exchange from its intent to its settlement.

An exchange runs in a task of its own. The client's side only takes parts from a bounded queue, so
a client that leaves, at whatever await, cannot cut the accounting; it can only end the call.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from decimal import Decimal
from typing import Any

from django.conf import settings

from activity.ledger import BudgetExceeded
from activity.models import Attempt, Generation
from activity.recording import Call, Outcome, Recording, new_id
from activity.writer import DatabaseAway
from routing import errors, estimate, pricing, streaming, wire
from routing.catalog import Offer
from routing.completion import Completion, end_user_hash
from routing.decision import Decision
from routing.failures import AttemptFailed, timed_out, told
from routing.pinning import pin_statements
from routing.process import Process
from routing.progress import Progress
from routing.snapshot import Account
from routing.upstream import Answer, Deadline

QUEUE_PARTS = 64
MOST_HELD_BACK = 16
KEEP_ALIVE_SECONDS = 10.0
# A client that takes nothing for so long is gone.
STALL_SECONDS = 30.0
# Where leaving does not stop the bill, the answer is read on for its usage, this long.
DRAIN_SECONDS = 60.0

Part = bytes | errors.ApiError | None


class Exchange:
    """One accepted completion on its way from a provider to its client."""

    def __init__(
        self, process: Process, account: Account, decision: Decision, completion: Completion
    ) -> None:
        self._process, self._account = process, account
        self._decision, self._completion = decision, completion
        self._recording = Recording(process.writer, new_id())
        self._queue: asyncio.Queue[Part] = asyncio.Queue(QUEUE_PARTS)
        self._progress = Progress(decision.offers[0])
        self._deadline: Deadline | None = None
        self._granted: Decimal | None = None
        self._bound = 0
        self._settling: asyncio.Future[None] | None = None
        self._last: Part = None
        self._created = int(time.time())
        self._failures: list[AttemptFailed] = []
        self._answered = False
        self._began = 0.0
        self._left = ""

    @property
    def generation_id(self) -> str:
        return self._recording.id

    def _shape(self) -> wire.Shape:
        return wire.Shape(self.generation_id, self._progress.offer, self._created)

    async def parts(self, app: str) -> AsyncGenerator[bytes, None]:
        """The answer's parts; raises ApiError until the first of them is out.

        A JSON answer is one part. Closing the generator tells the exchange that its client left.
        """
        self._process.run(self._run(app), self._account.key_id, self._decision.turn)
        is_out = False
        silence = streaming.KeepAlive(KEEP_ALIVE_SECONDS, self._keep_alive)
        try:
            while (part := await self._queue.get()) is not None:
                if isinstance(part, errors.ApiError):
                    if not is_out:
                        raise part
                    part = streaming.event(self._shape().error_chunk(part)) + streaming.END
                silence.note()
                yield part
                is_out = True
        finally:
            silence.stop()
            self._client_left("client_left")

    def _keep_alive(self) -> None:
        """Say so while nothing comes; a client that is slow has enough to read."""
        if self._completion.stream and self._queue.empty():
            self._queue.put_nowait(streaming.KEEP_ALIVE)

    def _client_left(self, reason: str) -> None:
        """Stop handing over; end the call where that ends the bill, else bound what is left."""
        self._left = self._left or reason
        self._empty_queue()
        # A client that stalled and goes on all the same has its answer's end.
        self._queue.put_nowait(None)
        if self._deadline is None:
            return
        if self._completion.stream and self._progress.offer.cancel_stops_billing:
            self._deadline.leave()
        else:
            self._deadline.limit(DRAIN_SECONDS)

    def _empty_queue(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()

    async def _run(self, app: str) -> None:
        last: Part = None
        try:
            await self._open(app)
            last = await self._exchange()
        except Exception as error:  # noqa: BLE001 - whatever it was, the client hears of it
            last = errors.as_api_error(error)
        except asyncio.CancelledError:
            # Only a process that stops cancels an exchange; its client hears of it first.
            last = await self._stop()
        finally:
            self._process.health.release(self._decision.turn)
            # OpenRouter leaves it out of these two.
            if isinstance(last, errors.ApiError) and last.status not in (429, 500):
                last.openrouter_metadata = self._metadata(None)
            await self._hand_over(last)
            if last is not None:
                await self._hand_over(None)

    async def _stop(self) -> Part:
        """The end of a cancelled exchange; an answer that is being settled is handed over."""
        if self._settling is not None:
            await self._settling
            return self._last
        self._empty_queue()
        stopping = errors.Unavailable("The server is stopping; try again.")
        return await self._settle_failed(stopping) if self._recording.calls else stopping

    async def _open(self, app: str) -> None:
        """Commit the intent; raises ApiError, and then nothing was asked of a provider."""
        offers, completion = self._decision.offers, self._completion
        budget = estimate.UNLIMITED
        if self._account.budgets:
            self._bound = estimate.prompt_bound(completion)
            budget = estimate.budget(self._bound, completion.max_tokens, offers)
        first = offers[0]
        intent = {
            "user_id": self._account.user_id,
            "key_id": self._account.key_id,
            "key_name": self._account.key_name,
            "app": app,
            "session": self._decision.pin.key,
            "end_user": completion.end_user,
            "requested_model": completion.requested,
            "routed_model": first.model,
            "provider": first.provider_name,
            "streamed": completion.stream,
            "prices": first.stored_prices,
            "decision": self._decision.receipt,
            "deadline_seconds": settings.AUTOROUTER_TOTAL_SECONDS,
            "budgets": self._account.budgets,
            **budget._asdict(),
        }
        try:
            granted = await self._recording.open(intent, _call(1, first))
        except BudgetExceeded as refusal:
            raise estimate.refusal(refusal, budget) from refusal
        except DatabaseAway as error:
            raise errors.Unavailable("The request cannot be recorded now; try again.") from error
        self._granted = granted if self._account.budgets else None
        self._process.health.budget.note_request()

    async def _exchange(self) -> Part:
        """Try the endpoints in order, settle once; the part that ends the answer."""
        try:
            for number, offer in enumerate(self._decision.offers, 1):
                if number > 1 and not self._left:
                    if not self._may_fall_back():
                        break
                    await self._recording.attempt(_call(number, offer))
                if self._left:
                    break
                try:
                    return await self._attempt(offer, f"{self.generation_id}:{number}")
                except AttemptFailed as failure:
                    self._note_failure(failure)
                    if self._answered or not failure.retryable:
                        break
            if self._left:
                return await self._settle_cancelled()
            error = told(self._failures, self._decision.offers, answered=self._answered)
        except DatabaseAway:
            error = errors.Unavailable("The fallback cannot be recorded now; try again.")
        except Exception as unexpected:  # noqa: BLE001 - a row that is open must become final
            error = errors.as_api_error(unexpected)
        return await self._settle_failed(error)

    def _may_fall_back(self) -> bool:
        in_time = self._recording.elapsed_seconds < settings.AUTOROUTER_TOTAL_SECONDS
        return in_time and self._process.health.budget.take()

    async def _attempt(self, offer: Offer, attempt_id: str) -> Part:
        """One call; raises AttemptFailed. Returns after its settlement."""
        completion = self._completion
        max_tokens = estimate.answer_tokens(
            completion.max_tokens, self._granted, self._bound, offer, self._decision.prompt_tokens
        )
        progress = self._progress = Progress(offer, max_tokens)
        self._began = self._process.health.clock()
        end_user = completion.end_user and end_user_hash(
            settings.SECRET_KEY, self._account.user_id, completion.end_user
        )
        body = wire.request_body(completion, offer, max_tokens, end_user)
        left_seconds = settings.AUTOROUTER_TOTAL_SECONDS - self._recording.elapsed_seconds
        self._deadline = Deadline(left_seconds, _patience(completion))
        call = self._process.upstream.call(offer, body, attempt_id, self._deadline)
        try:
            async with self._deadline, call as answer:
                await self._read(answer, progress)
        except TimeoutError as error:
            if not self._left and not progress.is_out:
                raise timed_out() from error
        except AttemptFailed as failure:
            # What has finished is whole, even where its connection breaks before its end mark.
            if not progress.is_out or failure.http_status is not None:
                raise
        finally:
            self._deadline = None
        progress.check(left=bool(self._left))
        return await (self._settle_cancelled() if self._left else self._settle_completed())

    async def _read(self, answer: Answer, progress: Progress) -> None:
        if not self._completion.stream:
            progress.see_whole(await answer.json())
            return
        shape = self._shape()
        held_back: list[bytes] = []
        async with aclosing(answer.events()) as batches:
            async for batch in batches:
                for event in batch:
                    if choices := progress.see(event):
                        held_back.append(streaming.event(shape.chunk(choices)))
                    if progress.ended:
                        break
                # A role without a word is no answer yet: until there is one, another may answer.
                is_answer = progress.spoken or progress.finish_reason
                if held_back and (is_answer or len(held_back) >= MOST_HELD_BACK):
                    self._begin()
                    waited = await self._hand_over(b"".join(held_back))
                    held_back.clear()
                    progress.is_out = bool(progress.finish_reason)
                    if waited:
                        # The provider's silence counts from here: that wait was not its.
                        answer.wait_on(anew=True)
                    if self._recording.is_checkpoint_due():
                        prompt_tokens = self._decision.prompt_tokens
                        self._recording.reached(prompt_tokens, progress.spoken_tokens)
                if progress.ended:
                    return

    def _begin(self) -> None:
        if not self._answered:
            self._answered = True
            self._recording.first_token()

    async def _hand_over(self, part: Part) -> bool:
        """Put a part in the queue and tell a wait; a client that is stuck for too long has left."""
        if self._left:
            return False
        try:
            self._queue.put_nowait(part)
            return False
        except asyncio.QueueFull:
            pass
        if self._deadline is not None:
            # The wait for the client is not the provider's silence.
            self._deadline.within(2 * STALL_SECONDS)
        try:
            async with asyncio.timeout(STALL_SECONDS):
                await self._queue.put(part)
        except TimeoutError:
            self._client_left("client_stalled")
        return True

    def _note_failure(self, failure: AttemptFailed) -> None:
        self._failures.append(failure)
        call = self._recording.calls[-1]
        call.end(
            Attempt.Status.FAILED, error_type=failure.error_type, http_status=failure.http_status
        )
        call.operator_cost = None if failure.billed else Decimal(0)
        # A client that leaves, or takes the whole time there is, says nothing of the endpoint.
        if not self._left and self._recording.elapsed_seconds < settings.AUTOROUTER_TOTAL_SECONDS:
            self._process.health.failed(self._progress.offer, failure, self._began)

    async def _settle_completed(self) -> Part:
        progress = self._progress
        usage = progress.usage(self._decision.prompt_tokens)
        lines = pricing.lines(usage, progress.offer.rates)
        cost = pricing.total(lines)
        self._last = self._last_part(wire.usage_object(usage, cost, lines))
        self._end_call(Attempt.Status.SUCCEEDED, cost)
        self._process.health.succeeded(progress.offer, self._began)
        along = pin_statements(self._account, self._decision, progress.offer, usage)
        await self._settle(Generation.Status.COMPLETED, lines, along=along)
        return self._last

    def _last_part(self, reported: dict[str, Any]) -> bytes:
        shape = self._shape()
        metadata = self._metadata(self._progress.offer)
        extra = {} if metadata is None else {"openrouter_metadata": metadata}
        if not self._completion.stream:
            answer = shape.answer(self._progress.whole, reported, self._progress.finish_reason)
            return wire.dump(answer | extra)
        return streaming.event(shape.usage_chunk(reported, **extra)) + streaming.END

    def _metadata(self, served: Offer | None) -> dict[str, Any] | None:
        """How far the request came, for a client that asked for it."""
        if not self._completion.metadata:
            return None
        statuses = [failure.own_status for failure in self._failures]
        return wire.metadata(self._decision.receipt, self._decision.offers, served, statuses)

    async def _settle_cancelled(self) -> None:
        """The client left: what it was sent is charged, or all of it where the bill went on."""
        progress = self._progress
        has_bill = progress.spoken > 0 or progress.reported is not None
        usage = progress.usage(self._decision.prompt_tokens)
        lines = pricing.lines(usage, progress.offer.rates) if has_bill else []
        self._end_call(Attempt.Status.ABANDONED, pricing.total(lines))
        await self._settle(Generation.Status.CANCELLED, lines, error_type=self._left)

    async def _settle_failed(self, error: errors.ApiError) -> errors.ApiError:
        """An answer that ended in an error costs its client nothing."""
        error.generation_id = self.generation_id
        lines: list[dict[str, Any]] = []
        if self._answered:
            usage = self._progress.usage(self._decision.prompt_tokens)
            lines = pricing.insured(pricing.lines(usage, self._progress.offer.rates))
        if self._recording.calls[-1].status == Attempt.Status.OPEN:
            self._end_call(Attempt.Status.FAILED, None)
        failed, self._last = Generation.Status.FAILED, error
        await self._settle(failed, lines, error_code=error.status, error_type=error.error_type)
        return error

    def _end_call(self, status: str, operator_cost: Decimal | None) -> None:
        call, progress = self._recording.calls[-1], self._progress
        call.end(status, error_type=self._left, http_status=progress.http_status)
        usage = progress.usage(self._decision.prompt_tokens)
        call.prompt_tokens, call.completion_tokens = usage.prompt_tokens, usage.completion_tokens
        call.operator_cost = operator_cost
        if status == Attempt.Status.SUCCEEDED and call.first_token_ms is not None:
            seconds = max((call.latency_ms or 0) - call.first_token_ms, 1) / 1000
            speed = usage.completion_tokens / seconds
            self._process.upstream.note_speed(progress.offer, call.first_token_ms, speed)

    async def _settle(
        self,
        status: str,
        lines: list[dict[str, Any]],
        *,
        error_code: int | None = None,
        error_type: str = "",
        along: tuple[Any, ...] = (),
    ) -> None:
        progress = self._progress
        tokens, source, anomaly = progress.counts(self._decision.prompt_tokens, charged=bool(lines))
        outcome = Outcome(
            status=status,
            finish_reason=progress.finish_reason if error_code is None else "error",
            native_finish_reason=progress.native_finish_reason,
            upstream_id=progress.upstream_id,
            error_code=error_code,
            error_type=error_type,
            tokens=tokens,
            usage_source=source,
            usage_anomaly=anomaly,
            cost=pricing.total(lines),
            cost_lines=lines,
            prices=progress.offer.stored_prices,
        )
        # The first settlement counts, even where the process stops while it is on its way.
        if self._settling is None:
            self._settling = asyncio.ensure_future(self._recording.settle(outcome, along))
        await asyncio.shield(self._settling)


def _call(number: int, offer: Offer) -> Call:
    return Call(number, offer.model, offer.provider_name, offer.upstream_model)


def _patience(completion: Completion) -> float:
    """Seconds until the first byte, which of a JSON answer comes with the last."""
    if completion.stream:
        return settings.AUTOROUTER_FIRST_BYTE_SECONDS
    return settings.AUTOROUTER_ANSWER_SECONDS
