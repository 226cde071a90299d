"""The router itself: which model suits a conversation at a given tradeoff of cost and quality.

Pure functions over numbers: no Django, no network, nothing of ours from outside this folder.
"""

from routing.engine.version import VERSION as VERSION
