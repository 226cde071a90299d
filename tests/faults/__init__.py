"""Real processes that misbehave on cue."""
