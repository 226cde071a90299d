"""The router itself: which model suits a conversation at a given tradeoff of cost and quality.

Pure functions over numbers: no Django, no network, nothing of ours from outside this folder.
"""

# Stored with each generation, so that a decision can be traced to the rules that made it.
VERSION = "rules-1"
