"""The router itself: which model suits a conversation at a given tradeoff of cost and quality.

Pure functions over numbers: no Django, no network, nothing of ours from outside this folder.
"""

import os

from routing.engine.version import VERSION as VERSION

# Products here are small, and OpenBLAS's other threads spin while they wait: with two of them,
# loading the weights took 165 ms of CPU instead of 95. numpy reads it when it is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
