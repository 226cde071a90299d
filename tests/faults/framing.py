"""Requests as bytes, most of them framed wrongly, and what is wanted of the server for each.

A wanted outcome is the statuses of all answers on the connection, and "closed" where the server
ends it. @KEY@ stands for a good key.
"""

import re
import socket
from contextlib import suppress

ANSWER_SECONDS, QUIET_SECONDS = 10.0, 0.7
BODY = b'{"model":"faulty/ok","messages":[{"role":"user","content":"Hello"}]}'
POST = b"POST /api/v1/chat/completions HTTP/1.1\r\n"
HOST = b"Host: localhost\r\n"
KEY = b"Authorization: Bearer @KEY@\r\n"
JSON = b"Content-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
# A second request, which must never be answered where the first one's end is in doubt.
SECOND = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
GOOD = POST + HOST + KEY + JSON + LENGTH + b"\r\n" + BODY


def with_header(header: bytes) -> bytes:
    return GOOD.replace(HOST, HOST + header)


def framed(headers: bytes, body: bytes) -> bytes:
    """The good request with its length told otherwise, and another request right behind it."""
    return POST + HOST + KEY + JSON + headers + b"\r\n" + body + SECOND


def chunked(body: bytes) -> bytes:
    return framed(CHUNKED, body)


def asked(line: bytes) -> bytes:
    return line + b"\r\n" + HOST + b"\r\n"


def target(path: bytes) -> bytes:
    return GOOD.replace(b"/api/v1/chat/completions", path)


def to_host(host: bytes) -> bytes:
    return GOOD.replace(HOST, host)


LENGTHS = {
    "length and chunks": (framed(LENGTH + CHUNKED, CHUNKS), "200 closed"),
    "chunks and length": (framed(CHUNKED + LENGTH, CHUNKS), "200 closed"),
    "short length and chunks": (framed(b"Content-Length: 4\r\n" + CHUNKED, CHUNKS), "200 closed"),
    "two lengths": (framed(LENGTH + b"Content-Length: 5\r\n", BODY), "400 closed"),
    "the same length twice": (framed(LENGTH + LENGTH, BODY), "200 200"),
    "a list of lengths": (framed(b"Content-Length: 5, 5\r\n", BODY), "400 closed"),
    **{
        f"length {value!r}": (framed(b"Content-Length:%s\r\n" % value, BODY), "400 closed")
        for value in (b" +5", b" -5", b" 0x5", b" 6 8", b"", b" 5.0", b" 5\x0b", b" " + b"9" * 30)
    },
    "an underscore is no length": (with_header(b"Content_Length: 5\r\n") + SECOND, "200 200"),
    "an underscore is no coding": (with_header(b"Transfer_Encoding: x\r\n") + SECOND, "200 200"),
    "space before the colon": (framed(LENGTH.replace(b":", b" :"), BODY), "400 closed"),
    "bytes after the body": (GOOD + b"GARBAGE\r\n\r\n", "200 400 closed"),
    "two requests": (GOOD + SECOND, "200 200"),
    "five requests": (SECOND * 5, "200 200 200 200 200"),
    "a body that nobody reads": (asked(b"GET /livez HTTP/1.1").replace(
        b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\nabcde") + SECOND, "200 200"),
    "a request within a body": (POST + HOST + JSON + b"Content-Length: %d\r\n\r\n%s" % (
        len(SECOND), SECOND), "401 closed"),
}  # fmt: skip

CODINGS = {
    **{
        f"coding {value!r}": (framed(b"Transfer-Encoding:%s\r\n" % value, CHUNKS), "400 closed")
        for value in (
            *(b" xchunked", b" identity", b" gzip, chunked", b" chunked, gzip", b""),
            *(b" chunked;q=1", b" chunked, chunked", b" \x0bchunked"),
            *(b' "chunked"', b"\r\n chunked"),
        )
    },
    **{
        f"coding {value!r}": (framed(b"Transfer-Encoding:%s\r\n" % value, CHUNKS), "200 200")
        for value in (b" chunked", b"\tchunked", b" CHUNKED")
    },
    "two codings": (framed(CHUNKED + CHUNKED, CHUNKS), "400 closed"),
    "a coding and none": (
        framed(CHUNKED + b"Transfer-Encoding: identity\r\n", CHUNKS), "400 closed"),
    "chunks in HTTP/1.0": (chunked(CHUNKS).replace(b"HTTP/1.1", b"HTTP/1.0"), "400 closed"),
    "an extension": (chunked(CHUNKS.replace(b"\r\n", b";a=b\r\n", 1)), "200 200"),
    "an endless extension": (
        chunked(CHUNKS.replace(b"\r\n", b";a=%s\r\n" % (b"b" * 50_000), 1)), "400 closed"),
    "an extension with a bare LF": (chunked(CHUNKS.replace(b"\r\n", b";\n", 1)), "400 closed"),
    **{
        f"chunk size {size!r}": (chunked(CHUNKS.replace(b"44", size, 1)), "400 closed")
        for size in (b"zz", b"-44", b"+44", b"0x44", b"f" * 17, b"", b"44 4")
    },
    "chunks with bare LF": (chunked(CHUNKS.replace(b"\r\n", b"\n")), "400 closed"),
    "a chunk longer than its size": (chunked(CHUNKS.replace(b"\r\n0", b"XX0")), "400 closed"),
    "trailers": (chunked(CHUNKS[:-2] + b"X-A: b\r\nAuthorization: Bearer x\r\n\r\n"), "200 200"),
    "endless trailers": (
        chunked(CHUNKS[:-2] + b"X-A: %s\r\n\r\n" % (b"b" * 100_000)), "400 closed"),
}  # fmt: skip

HEADERS = {
    **{
        f"header {header!r}": (with_header(header + b"\r\n"), "400 closed")
        for header in (
            *(b"X-A: a\r\n folded", b" X-A: a", b"X-A: a\rb", b"X-A: a\x00b", b"X\x00A: b", b"X-A"),
            *(b"X-A: a\x01b", b"X-A: a\x7fb", b": a", b"X(A): b", "Ü: b".encode(), b"X A: b"),
        )
    },
    # RFC 9112, 2.2, lets a server end a line at LF alone; hyper does, and no setting forbids it.
    "bare LF": (GOOD.replace(b"\r\n", b"\n"), "200"),
    "bare CR": (to_host(b"Host: localhost\r"), "400 closed"),
    "no Host": (to_host(b""), "400 closed"),
    "two Hosts": (to_host(b"Host: evil.example\r\n" + HOST), "400 closed"),
    **{
        f"Host {host!r}": (to_host(b"Host: %s\r\n" % host), "400 closed")
        for host in (b"", b"a?b", b"evil.example", b"localhost@evil.example", b"localhost/x")
    },
    "two keys": (with_header(KEY), "400 closed"),
    "two types": (with_header(b"Content-Type: text/plain\r\n"), "400 closed"),
    "two sessions": (with_header(b"X-Session-Id: a\r\nX-Session-Id: b\r\n"), "400 closed"),
    "bytes in the key": (GOOD.replace(b"@KEY@", b"\xff\xfe"), "401 closed"),
    "a header of 20 KB": (with_header(b"X-A: %s\r\n" % (b"a" * 20_000)), "431 closed"),
    "a header of 1 MB": (with_header(b"X-A: %s\r\n" % (b"a" * 1_000_000)), "431 closed"),
    "101 headers": (with_header(b"".join(b"X-%d: a\r\n" % n for n in range(97))), "431 closed"),
    "1,000 headers": (with_header(b"".join(b"X-%d: a\r\n" % n for n in range(1000))), "431 closed"),
    "100 headers": (with_header(b"".join(b"X-%d: a\r\n" % n for n in range(96))), "200"),
    "Connection: content-length": (with_header(b"Connection: close, content-length\r\n"),
                                   "200 closed"),
}  # fmt: skip

TARGETS = {
    "an absolute target": (target(b"http://localhost/api/v1/chat/completions"), "200"),
    "an authority": (target(b"localhost:80"), "400 closed"),
    "CONNECT": (asked(b"CONNECT localhost:443 HTTP/1.1") + SECOND, "405 closed"),
    "OPTIONS *": (asked(b"OPTIONS * HTTP/1.1") + SECOND, "400 closed"),
    "OPTIONS": (asked(b"OPTIONS /api/v1/chat/completions HTTP/1.1"), "405 closed"),
    "TRACE": (asked(b"TRACE /api/v1/chat/completions HTTP/1.1"), "405 closed"),
    "TRACE elsewhere": (asked(b"TRACE /livez HTTP/1.1"), "405 closed"),
    "a method nobody knows": (asked(b"BREW /livez HTTP/1.1") + SECOND, "405 closed"),
    "a method in lower case": (GOOD.replace(b"POST", b"post"), "405 closed"),
    "an endless method": (asked(b"A" * 5000 + b" / HTTP/1.1"), "405 closed"),
    **{
        f"a target of {size}": (asked(b"GET /%s HTTP/1.1" % (b"a" * size)), wanted)
        for size, wanted in ((17_000, "431 closed"), (60_000, "431 closed"), (65_600, "414 closed"),
                             (500_000, "431 closed"))
    },
    "a query of 17 KB": (target(b"/api/v1/chat/completions?" + b"a" * 17_000), "431 closed"),
    "a space in the target": (target(b"/api/v1/chat/comple tions"), "400 closed"),
    "a NUL in the target": (target(b"/api/v1/chat/completions\x00"), "400 closed"),
    "two spaces": (GOOD.replace(b"POST ", b"POST  "), "400 closed"),
    "a tab": (GOOD.replace(b"POST ", b"POST\t"), "400 closed"),
    "empty lines before": (b"\r\n" * 10 + GOOD, "200"),
    **{
        f"target {path!r}": (target(b"/api/v1" + path), "404")
        for path in (b"/chat/completions/", b"//chat/completions", b"/chat/./completions", b"/%zz",
                     b"/chat/../chat/completions", b"/%2e%2e/chat/completions", b"/%ff%fe",
                     b"/chat/completions;x", b"/chat/completions%00", b"/CHAT/completions")
    },
}  # fmt: skip

PROTOCOLS = {
    "HTTP/0.9": (b"GET /livez\r\n\r\n", "400 closed"),
    "HTTP/1.0": (GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"), "200 closed"),
    **{
        f"{version!r}": (GOOD.replace(b"HTTP/1.1", version), "400 closed")
        for version in (b"HTTP/1.2", b"HTTP/2.0", b"HTTP/3.0", b"http/1.1", b"HTTP/11")
    },
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), "closed"),
    "an upgrade to HTTP/2": (with_header(
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"), "200"),
    "an upgrade to WebSocket": (asked(
        b"GET /livez HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"), "200"),
    "Expect": (with_header(b"Expect: 100-continue\r\n"), "100 200"),
    "Expect without a key": (
        POST + HOST + JSON + LENGTH + b"Expect: 100-continue\r\n\r\n", "401 closed"),
    "TLS": (bytes.fromhex("16030100a5010000a10303") + bytes(160), "400 closed"),
    "no HTTP at all": (bytes(range(4)) * 50 + b"\r\n\r\n", "400 closed"),
    "the PROXY protocol": (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + GOOD, "400 closed"),
}  # fmt: skip

CORPUS = LENGTHS | CODINGS | HEADERS | TARGETS | PROTOCOLS


def outcome(port: int, request: bytes) -> str:
    """The statuses of all answers, and whether the connection was closed after them."""
    answers, closed = b"", False
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as connection:
        with suppress(OSError):
            connection.sendall(request)
        try:
            while part := connection.recv(65_536):
                answers += part
                connection.settimeout(QUIET_SECONDS)
            closed = True
        except TimeoutError:
            pass
        except ConnectionResetError:
            closed = True
    return " ".join([*statuses(answers), *["closed"] * closed])


def statuses(answers: bytes) -> list[str]:
    return [found.decode() for found in re.findall(rb"HTTP/1\.[01] (\d{3})", answers)]
