"""The offline demo provider: a process of its own that speaks the wire format of a real one.

`python -m routing.demo --port 9190` serves it on loopback. It imports neither Django nor
anything else of ours, keeps no state, and answers the same request with the same text. Any
model name and any non-empty bearer credential are accepted.

The last user message may ask for more than an answer:

| it contains             | what happens                                                      |
|-------------------------|-------------------------------------------------------------------|
| `demo:error=503`        | that status, one of 400 401 403 404 408 413 429 500 502 503 529   |
| `demo:error=mid-stream` | two tokens, then an error event; without `stream`, status 500     |
| `demo:slow`             | three seconds of silence before the first token                   |
| `demo:empty`            | no content, and a finish reason of null                           |
| `demo:stream=200`       | that many tokens (1-10000), 20 ms apart in a stream               |
| the name of a tool, "weather", "use the tool" | a call of that tool, else of the first one  |

A tool is called only as an answer to a user; `tool_choice` "required" or a name forces it and
"none" prevents it. A second turn reports cached tokens: see `usage`.
"""
