"""Complete recordings of what Chromium sends to the agent's port, for machines without Chromium.

Recorded by `Rebinding` from Chromium 150 (Debian 12) with the page of test_browser.py, one element per connection; only
the request with a URL of a megabyte is omitted.
"""

MARKER = b"/tmp/executed-by-chromium"
"""The file that the command in the data would create; in URLs its slashes are escaped."""
RECORDED = [
    (
        b"FOO /foo HTTP/1.1\r\n"
        b"Host: rebound.test:34459\r\n"
        b"Connection: keep-alive\r\n"
        b"Content-Length: 53\r\n"
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/150"
        b".0.0.0 Safari/537.36\r\n"
        b"Content-Type: text/plain;charset=UTF-8\r\n"
        b"Accept: */*\r\n"
        b"Origin: http://rebound.test:34459\r\n"
        b"Referer: http://rebound.test:34459/\r\n"
        b"Accept-Encoding: gzip, deflate\r\n"
        b"Accept-Language: en-US,en;q=0.9\r\n"
        b"\r\n"
        b"\n"
        b'{"command": ["touch", "/tmp/executed-by-chromium"]}\n'
    ),
    (
        b"PROPFIND /propfind HTTP/1.1\r\n"
        b"Host: rebound.test:34459\r\n"
        b"Connection: keep-alive\r\n"
        b"Content-Length: 53\r\n"
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/150"
        b".0.0.0 Safari/537.36\r\n"
        b"Content-Type: text/plain;charset=UTF-8\r\n"
        b"Accept: */*\r\n"
        b"Origin: http://rebound.test:34459\r\n"
        b"Referer: http://rebound.test:34459/\r\n"
        b"Accept-Encoding: gzip, deflate\r\n"
        b"Accept-Language: en-US,en;q=0.9\r\n"
        b"\r\n"
        b"\n"
        b'{"command": ["touch", "/tmp/executed-by-chromium"]}\n'
    ),
    (
        b"GET /favicon.ico HTTP/1.1\r\n"
        b"Host: rebound.test:34459\r\n"
        b"Connection: keep-alive\r\n"
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/150"
        b".0.0.0 Safari/537.36\r\n"
        b"Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8\r\n"
        b"Referer: http://rebound.test:34459/\r\n"
        b"Accept-Encoding: gzip, deflate\r\n"
        b"Accept-Language: en-US,en;q=0.9\r\n"
        b"\r\n"
    ),
    (
        b"get-it /get HTTP/1.1\r\n"
        b"Host: rebound.test:34459\r\n"
        b"Connection: keep-alive\r\n"
        b"Content-Length: 53\r\n"
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/150"
        b".0.0.0 Safari/537.36\r\n"
        b"Content-Type: text/plain;charset=UTF-8\r\n"
        b"Accept: */*\r\n"
        b"Origin: http://rebound.test:34459\r\n"
        b"Referer: http://rebound.test:34459/\r\n"
        b"Accept-Encoding: gzip, deflate\r\n"
        b"Accept-Language: en-US,en;q=0.9\r\n"
        b"\r\n"
        b"\n"
        b'{"command": ["touch", "/tmp/executed-by-chromium"]}\n'
    ),
    (
        b"POST /post HTTP/1.1\r\n"
        b"Host: rebound.test:34459\r\n"
        b"Connection: keep-alive\r\n"
        b"Content-Length: 53\r\n"
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/150"
        b".0.0.0 Safari/537.36\r\n"
        b"Content-Type: text/plain;charset=UTF-8\r\n"
        b"X-Header: {\r\n"
        b"Accept: */*\r\n"
        b"Origin: http://rebound.test:34459\r\n"
        b"Referer: http://rebound.test:34459/\r\n"
        b"Accept-Encoding: gzip, deflate\r\n"
        b"Accept-Language: en-US,en;q=0.9\r\n"
        b"\r\n"
        b"\n"
        b'{"command": ["touch", "/tmp/executed-by-chromium"]}\n'
    ),
    (
        b"GET /image?{%22command%22:%20[%22touch%22,%20%22/tmp/executed-by-chromium%22]} HTTP/1.1\r\n"
        b"Host: rebound.test:34459\r\n"
        b"Connection: keep-alive\r\n"
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/150"
        b".0.0.0 Safari/537.36\r\n"
        b"Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8\r\n"
        b"Referer: http://rebound.test:34459/\r\n"
        b"Accept-Encoding: gzip, deflate\r\n"
        b"Accept-Language: en-US,en;q=0.9\r\n"
        b"\r\n"
    ),
    (
        b"GET /socket HTTP/1.1\r\n"
        b"Host: rebound.test:34459\r\n"
        b"Connection: Upgrade\r\n"
        b"Pragma: no-cache\r\n"
        b"Cache-Control: no-cache\r\n"
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/150"
        b".0.0.0 Safari/537.36\r\n"
        b"Upgrade: websocket\r\n"
        b"Origin: http://rebound.test:34459\r\n"
        b"Sec-WebSocket-Version: 13\r\n"
        b"Accept-Encoding: gzip, deflate\r\n"
        b"Accept-Language: en-US,en;q=0.9\r\n"
        b"Sec-WebSocket-Key: WLMSev5/S8z5pnWT+rpqsQ==\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        b"\r\n"
    ),
    (
        b"POST /beacon HTTP/1.1\r\n"
        b"Host: rebound.test:34459\r\n"
        b"Connection: keep-alive\r\n"
        b"Content-Length: 53\r\n"
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/150"
        b".0.0.0 Safari/537.36\r\n"
        b"Content-Type: text/plain;charset=UTF-8\r\n"
        b"Accept: */*\r\n"
        b"Origin: http://rebound.test:34459\r\n"
        b"Referer: http://rebound.test:34459/\r\n"
        b"Accept-Encoding: gzip, deflate\r\n"
        b"Accept-Language: en-US,en;q=0.9\r\n"
        b"\r\n"
        b"\n"
        b'{"command": ["touch", "/tmp/executed-by-chromium"]}\n'
    ),
    (
        b"POST /form HTTP/1.1\r\n"
        b"Host: rebound.test:34459\r\n"
        b"Connection: keep-alive\r\n"
        b"Content-Length: 113\r\n"
        b"Cache-Control: max-age=0\r\n"
        b"Upgrade-Insecure-Requests: 1\r\n"
        b"Content-Type: text/plain\r\n"
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/150"
        b".0.0.0 Safari/537.36\r\n"
        b"Origin: http://rebound.test:34459\r\n"
        b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q="
        b"0.8,application/signed-exchange;v=b3;q=0.7\r\n"
        b"Referer: http://rebound.test:34459/\r\n"
        b"Accept-Encoding: gzip, deflate\r\n"
        b"Accept-Language: en-US,en;q=0.9\r\n"
        b"\r\n"
        b"\r\n"
        b'{"command": ["touch", "/tmp/executed-by-chromium"]}\r\n'
        b"=\r\n"
        b'{"command": ["touch", "/tmp/executed-by-chromium"]}\r\n'
        b"\r\n"
    ),
    (
        b"GET /events HTTP/1.1\r\n"
        b"Host: rebound.test:34459\r\n"
        b"Connection: keep-alive\r\n"
        b"Pragma: no-cache\r\n"
        b"Cache-Control: no-cache\r\n"
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/150"
        b".0.0.0 Safari/537.36\r\n"
        b"Accept: text/event-stream\r\n"
        b"Referer: http://rebound.test:34459/\r\n"
        b"Accept-Encoding: gzip, deflate\r\n"
        b"Accept-Language: en-US,en;q=0.9\r\n"
        b"\r\n"
    ),
]
