"""Says what an analysis of prompts is worth on graded data, beside simpler policies.

No Django, no network; numpy alone. report.py is where it begins.
"""
