"""Parts of requests as a browser, a proxy or a curious person may send them to any server."""

QUIET = 0.2  # seconds without a byte after which a request that may not be complete gets no answer any more
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "G\0T", ""]
FIELDS = [
    *("Origin: null", "Origin: http://evil.example", "Host: evil.example", "X-Forwarded-Host: evil.example"),
    *(
        "X-Forwarded-For: 1.2.3.4",
        "Content-Type: text/plain",
        "Content-Type: multipart/form-data; boundary=",
        "Upgrade: h2c",
    ),
    *(
        "Expect: 100-continue",
        "Range: bytes=0-99999999999",
        "Accept: text/html",
        "Cookie: session=",
        "X-HTTP-Method: PUT",
    ),
    *(
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA",
        "Accept-Encoding: *",
    ),
]
