"""What an open, idle stream costs in memory."""

import time
from dataclasses import dataclass

from bench.machine import resident_kilobytes
from bench.traffic import Load, Pace, Target, Traffic

STREAMS = 1000
# The first token comes at once, the next one when everything is over.
SILENCE = Pace(first_ms=50, between_ms=600_000, tokens=10)
WARM = Load(16, stream=True, seconds=3.0)
OPEN_SECONDS = 60.0
SETTLE_SECONDS = 2.0


@dataclass(frozen=True)
class IdleMemory:
    """Resident memory of a freshly started server without and with open streams."""

    target: str
    streams: int
    without_kb: int
    with_kb: int

    @property
    def kilobytes_each(self) -> float:
        return (self.with_kb - self.without_kb) / max(self.streams, 1)


def measure_memory(traffic: Traffic, target: Target) -> IdleMemory:
    """Open streams one by one and let them rest; the server must have served no crowd before."""
    traffic.pace(Pace())
    traffic.send(target, WARM)
    time.sleep(SETTLE_SECONDS)
    traffic.pace(SILENCE)
    before = resident_kilobytes(target.processes)
    load = Load(
        STREAMS,
        stream=True,
        seconds=OPEN_SECONDS + 2 * SETTLE_SECONDS,
        warm_seconds=0,
        ramp_seconds=5.0 if target.name != "litellm" else 20.0,
        once=True,
    )
    with traffic.sending(target, load):
        deadline = time.monotonic() + OPEN_SECONDS
        while traffic.open_streams() < STREAMS and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(SETTLE_SECONDS)
        opened = traffic.open_streams()
        after = resident_kilobytes(target.processes)
    return IdleMemory(target.name, opened, before, after)
