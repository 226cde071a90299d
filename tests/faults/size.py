"""How much of each proof is run: a few minutes of it with every test run, all by `make faults`."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    kills: int = 4
    kill_pause_seconds: float = 2.0
    outages: int = 1
    outage_seconds: float = 3.0
    churned: int = 300
    racing: int = 200
    race_kills: int = 1
    restarts: int = 1
    overload_seconds: float = 2.0
    idle_streams: int = 100
    abandoned: int = 300
    broker_tasks: int = 10_000
    step_rounds: int = 1


LONG = Size(
    kills=30,
    kill_pause_seconds=6.0,
    outages=3,
    outage_seconds=10.0,
    churned=2000,
    race_kills=3,
    restarts=3,
    overload_seconds=60.0,
    idle_streams=500,
    abandoned=1000,
    broker_tasks=100_000,
    step_rounds=5,
)

IS_LONG = os.environ.get("LONG") == "1"
SIZE = LONG if IS_LONG else Size()
