"""What is known of an answer while it arrives: what was said, how it ended, what it used."""

from typing import Any

from routing import usage, wire
from routing.calls import Calls
from routing.catalog import Offer
from routing.failures import AttemptFailed
from routing.usage import Usage


class Progress:
    """One attempt's answer so far."""

    def __init__(self, offer: Offer, most_tokens: int | None = None) -> None:
        self.offer = offer
        # The max_tokens it was sent: no count of our own exceeds it, as no reservation does.
        self._most_tokens = most_tokens
        self.spoken = 0
        self.reported: Any = None
        # What had been said by the last report.
        self._reported_at = 0
        self.finish_reason = ""
        # Whether the client has been handed all of the answer, finish included.
        self.is_out = False
        self.native_finish_reason = ""
        self.upstream_id = ""
        self.ended = False
        self._calls, self._called = Calls(), False
        self.http_status: int | None = None
        self.whole: dict[str, Any] = {}
        self._usage: Usage | None = None

    @property
    def spoken_tokens(self) -> int:
        tokens = usage.tokens_of(self.spoken)
        return tokens if self._most_tokens is None else min(tokens, self._most_tokens)

    def see(self, event: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Take in a streamed event, None for the end mark; the choices to hand over.

        Usage is cumulative, so the last report counts. What follows the first finish is ignored.
        """
        if event is None:
            return [wire.finishing_choice(self.finish_reason)] if self._end() else []
        self._see_head(event)
        choices = [] if self.finish_reason else wire.chunk_choices(event)
        for choice in choices:
            if "tool_calls" in choice["delta"]:
                choice["delta"] = self._calls.in_delta(choice["delta"])
            self._see_part(choice["delta"])
            self._see_finish(choice)
        if event.get("usage") is not None:
            self._reported_at = self.spoken
        return choices

    def see_whole(self, answer: dict[str, Any]) -> None:
        """Take in a JSON answer."""
        self._see_head(answer)
        sent = answer.get("choices")
        choices = [self._see_choice(one) for one in (sent if isinstance(sent, list) else [])]
        self.whole = answer | {"choices": choices}
        self._end()

    def check(self, *, left: bool) -> None:
        """Raises AttemptFailed for an answer that is empty, broken off, or ended in an error."""
        if left:
            return
        if self.finish_reason == "error":
            raise self._failed("ended in an error")
        if self.finish_reason or (self.spoken and self.ended):
            return
        raise self._failed("broke off its answer" if self.spoken else "sent an empty answer")

    def usage(self, prompt_tokens: int) -> Usage:
        """What the provider reported, else a count of our own; worked out once it is asked for."""
        if self._usage is None:
            self._usage = usage.from_upstream(
                self.reported,
                cached_in_prompt=self.offer.cached_in_prompt,
                most_searches=usage.most_searches(self.offer.supported_parameters),
            ) or usage.estimated(
                prompt_tokens, self.spoken_tokens, anomaly=self.reported is not None
            )
            if not self.ended and self.spoken > self._reported_at:
                since = usage.tokens_of(self.spoken - self._reported_at)
                reported = self._usage.completion_tokens
                self._usage = self._usage.at_least(min(reported + since, self.spoken_tokens))
        return self._usage

    def counts(self, prompt_tokens: int, *, charged: bool) -> tuple[dict[str, int], str, bool]:
        """Token counts, their source, and whether the report was odd, as they are stored."""
        if self.reported is None and not charged and not self.spoken:
            return {}, "none", False
        found = self.usage(prompt_tokens)
        counts = {
            "prompt_tokens": found.prompt_tokens,
            "cached_tokens": found.cached_tokens,
            "cache_write_tokens": found.cache_write_tokens,
            "completion_tokens": found.completion_tokens,
            "reasoning_tokens": found.reasoning_tokens,
        }
        return counts, found.source, found.anomaly

    def _see_head(self, event: dict[str, Any]) -> None:
        self.http_status = 200
        self._usage = None
        if event.get("usage") is not None:
            self.reported = event["usage"]
        if not self.upstream_id and isinstance(event.get("id"), str):
            self.upstream_id = event["id"][:200].replace("\x00", "")

    def _see_choice(self, choice: Any) -> dict[str, Any]:
        if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
            raise self._failed("sent a completion without a message")
        message = self._calls.in_message(choice["message"])
        self._see_part(message)
        native = choice.get("finish_reason")
        finish = {"finish_reason": wire.finish_reason(native), "native_finish_reason": native}
        self._see_finish(finish)
        return choice | {"message": message}

    def _see_part(self, part: dict[str, Any]) -> None:
        self.spoken += wire.spoken_bytes(part)
        if part.get("tool_calls"):
            self._called = True

    def _end(self) -> bool:
        """The answer is whole; whether it said something and its provider not how it finished."""
        self.ended = True
        is_unsaid = bool(self.spoken) and not self.finish_reason
        if is_unsaid:
            self.finish_reason = "tool_calls" if self._called else "stop"
        return is_unsaid

    def _see_finish(self, choice: dict[str, Any]) -> None:
        if choice["finish_reason"] == "stop" and self._called:
            # Google says so of calls as well; who loops over calls would not go on.
            choice["finish_reason"] = "tool_calls"
        if choice["finish_reason"] and not self.finish_reason:
            self.finish_reason = choice["finish_reason"]
            self.native_finish_reason = str(choice["native_finish_reason"] or "")

    def _failed(self, what: str) -> AttemptFailed:
        """An answer that began well and is none; its provider may charge for it."""
        message = f"The provider {what}."
        kind = (502, "provider_unavailable", message)
        return AttemptFailed(*kind, http_status=self.http_status, billed=True)
