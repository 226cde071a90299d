"""Section 3.1: the wire, the key and the headers. Framing itself is in tests/faults/framing.py."""

from tests.bad_input.vectors import Vector, shown

AUTH = "authentication"
REQUEST = "invalid_request"


def keyed(header: str | bytes | None, status: int = 401, says: str = "") -> Vector:
    kind = {200: "", 400: REQUEST, 401: AUTH, 431: REQUEST}[status]
    return Vector(
        f"Authorization: {shown(header)}", status, kind, says, headers={"Authorization": header}
    )


def typed(content_type: str | None, status: int = 400) -> Vector:
    kind, says = (REQUEST, "Content-Type must be application/json") if status == 400 else ("", "")
    headers = {"Content-Type": content_type}
    return Vector(f"Content-Type: {content_type}", status, kind, says, headers=headers)


KEYS = [
    keyed(None, says="Missing Authentication header"),
    *[keyed(header) for header in ("", " ", "Bearer", "Bearer  ", "Basic abc", "Token abc")],
    *[keyed(f"{scheme} @KEY@", 200) for scheme in ("bearer", "BEARER", "Bearer ")],
    keyed("Bearer @KEY@,Bearer @KEY@", 400, "one Authorization header"),
    *[keyed(f"Bearer {key}") for key in ("@KEY@0", "0@KEY@", "x@KEY@", "' OR 1=1--", "%00")],
    *[keyed(f"Bearer {key}") for key in ("x" * 8000, "sk-ar-v1-", "sk-ar-v1-" + "0" * 61)],
    *[keyed(header) for header in ("Bearer\t@KEY@", "Bearer @KEY@ @KEY@", "@KEY@", "Bearer:@KEY@")],
    *[keyed(b"Bearer " + key) for key in ("🦊".encode(), b"\xff\xfe", b"@KEY@\xc3\xbc", b"a\tb")],
    keyed("Bearer " + "x" * 17_000, 431, "headers"),
    Vector("key in the query", 401, AUTH, headers={"Authorization": None},
           path="/api/v1/chat/completions?api_key=@KEY@"),
    *[Vector(f"key in {name}", 401, AUTH, headers={"Authorization": None, name: value})
      for name, value in (("Cookie", "sessionid=@KEY@; key=@KEY@"), ("X-Api-Key", "@KEY@"),
                          ("Proxy-Authorization", "Bearer @KEY@"))],
]  # fmt: skip

PLACES = [
    *[Vector(method, 405, REQUEST, method, method=method)
      for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW")],
    *[Vector(path, 404, "not_found", path=path)
      for path in ("/api/v1/nope", "/api/v1/chat/completions/", "/api/v1/chat/completions;x",
                   "/api/v1/chat//completions", "/api/v1/Chat/Completions", "/v1/chat/completions/",
                   "/api/v1/chat/completions%00", "/api/v1/chat/completions%0d%0aX: y",
                   "/api/v1/" + "a" * 5000, "/api/v1/%e2%80%ae", "/api/v1/'%20OR%201=1--")],
    *[Vector(f"Host: {host}", 400, REQUEST, "Host", headers={"Host": host})
      for host in ("a?b", "evil.example", "", "localhost:x:y", "localhost, evil.example", ".")],
    *[Vector(f"Host: {host} elsewhere", 400, REQUEST, "Host", headers={"Host": host}, method="GET",
             path="/api/v1/models") for host in ("evil.example", "a?b")],
]  # fmt: skip

BODIES = [
    *[typed(name) for name in ("text/plain", "application/x-www-form-urlencoded", "multipart/x")],
    *[typed(name) for name in (None, "", "application/jsonp", "json", "application/json, a/b")],
    *[typed(f"application/json; charset={name}") for name in ("utf-16", "latin-1", '"utf-8" x')],
    *[typed(name, 200) for name in ("application/json;charset=UTF-8", "Application/JSON",
                                    'application/json; charset="utf-8"')],
    *[Vector(f"Content-Encoding: {name}", 400, REQUEST, "Content-Encoding is not supported",
             headers={"Content-Encoding": name})
      for name in ("gzip", "br", "deflate", "zstd", "x")],
    Vector("Content-Encoding: identity", 200, headers={"Content-Encoding": "identity"}),
    Vector("a body over the cap", 413, "payload_too_large", "body is larger",
           fields={"messages": [{"role": "user", "content": "x" * 17_000_000}]}),
    Vector("a length over the cap", 413, "payload_too_large", "body is larger",
           headers={"Content-Length": "99999999"}),
    *[Vector(f"body {body!r}", 400, REQUEST, "not valid JSON", body=body)
      for body in (b"", b" ", b"\r\n\r\n")],
    *[Vector(f"{name}: {shown(value)}", 200, headers={name: value})
      for name, value in (("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "' OR 1=1--"),
                          ("X_Session_Id", "x" * 300), ("X-Forwarded-Host", "evil.example"),
                          ("HTTP-Referer", "javascript:alert(1)"), ("X-Title", "<script>" * 1250),
                          ("X-Title", "a%0d%0aSet-Cookie: b"), ("X-Title", "ü\x85"),
                          ("Origin", "https://evil.example"), ("Cookie", "sessionid=x"),
                          ("X-HTTP-Method-Override", "DELETE"), ("Range", "bytes=0-1"),
                          ("Accept", "text/html"), ("Accept", "*"), ("User-Agent", ""))],
]  # fmt: skip

WIRE = KEYS + PLACES + BODIES
