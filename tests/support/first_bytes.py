"""First bytes of clients of other protocols: recorded from real clients, or written from specifications."""

RECORDED = {
    "DICT": (b"CLIENT libcurl 7.88.1\r\nDEFINE ! x\r\nQUIT\r\n"),
    "git": (b"0037git-upload-pack /x\x00host=127.0.0.1:41221\x00\x00version=2\x00"),
    "Gopher": (b"/path\r\n"),
    "HTTP, CONNECT": (
        b"CONNECT example.org:443 HTTP/1.1\r\n"
        b"Host: example.org:443\r\n"
        b"User-Agent: curl/7.88.1\r\n"
        b"Proxy-Connection: Keep-Alive\r\n"
        b"\r\n"
    ),
    "HTTP, method get": (
        b"get / HTTP/1.1\r\n"
        b"Host: 127.0.0.1:34625\r\n"
        b"User-Agent: curl/7.88.1\r\n"
        b"Accept: */*\r\n"
        b"Content-Length: 36\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"\r\n"
        b"\n"
        b'{"command":["touch","/tmp/pwned"]}\n'
    ),
    "HTTP, method FOO": (
        b"FOO / HTTP/1.1\r\n"
        b"Host: 127.0.0.1:45925\r\n"
        b"User-Agent: curl/7.88.1\r\n"
        b"Accept: */*\r\n"
        b"Content-Length: 36\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"\r\n"
        b"\n"
        b'{"command":["touch","/tmp/pwned"]}\n'
    ),
    "HTTP, method PROPFIND": (
        b"PROPFIND / HTTP/1.1\r\n"
        b"Host: 127.0.0.1:39273\r\n"
        b"User-Agent: curl/7.88.1\r\n"
        b"Accept: */*\r\n"
        b"Content-Length: 36\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"\r\n"
        b"\n"
        b'{"command":["touch","/tmp/pwned"]}\n'
    ),
    "HTTP, method QUERY": (
        b"QUERY / HTTP/1.1\r\n"
        b"Host: 127.0.0.1:44303\r\n"
        b"User-Agent: curl/7.88.1\r\n"
        b"Accept: */*\r\n"
        b"Content-Length: 36\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"\r\n"
        b"\n"
        b'{"command":["touch","/tmp/pwned"]}\n'
    ),
    "HTTP/2": (
        b"PRI * HTTP/2.0\r\n"
        b"\r\n"
        b"SM\r\n"
        b"\r\n"
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00d\x00\x04\x02\x00\x00\x00\x00\x02\x00\x00\x00"
        b"\x00\x00\x00\x04\x08\x00\x00\x00\x00\x00\x01\xff\x00\x01\x00\x00\x1f\x01\x05\x00\x00\x00\x01\x82\x84"
        b"\x86A\x8b\x08\x9d\\\x0b\x81p\xdci\xc6B\x1fz\x88%\xb6P\xc3\xab\xbc\xf2\xe1S\x03*/*"
    ),
    "LDAP": (b"0\x0c\x02\x01\x01`\x07\x02\x01\x03\x04\x00\x80\x00"),
    "MQTT": (b"\x10\x18\x00\x04MQTT\x04\x02\x00<\x00\x0ccurlca996f4b"),
    "PostgreSQL, asking for TLS": (b"\x00\x00\x00\x08\x04\xd2\x16/"),
    "PostgreSQL, a request line as the name of its database": (
        b"\x00\x00\x00W\x00\x03\x00\x00user\x00root\x00database\x00\n"
        b'{"command":["touch","/tmp/pwned"]}\n'
        b"\x00application_name\x00psql\x00\x00"
    ),
    "PROXY protocol 1": (
        b"PROXY TCP4 127.0.0.1 127.0.0.1 59540 41229\r\n"
        b"GET / HTTP/1.1\r\n"
        b"Host: 127.0.0.1:41229\r\n"
        b"User-Agent: curl/7.88.1\r\n"
        b"Accept: */*\r\n"
        b"\r\n"
    ),
    "RTSP": (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: curl/7.88.1\r\n\r\n"),
    "SMB": (
        b"\x00\x00\x00/\xffSMBr\x00\x00\x00\x00\x18A\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        b"\x00CN\x00\x00\x00\x00\x00\x0c\x00\x02NT LM 0.12\x00"
    ),
    "SOCKS 5": (b"\x05\x02\x00\x01"),
    "SSH": (b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u6\r\n"),
    "TLS": (
        b"\x16\x03\x01\x01.\x01\x00\x01*\x03\x03\x7f\x0e2k\x9f\\\x99XU\x03\x83\xf86\xf9\xff`\x90\xd0'\xf4}\x1d"
        b"m\x13\x1aF)H\xde\xff\xdb\xd8 4!\x9f_\xa9\xa2\xdb\x93~\xb5\xdd\xd8\x86\x88\xb1\x02\x92\xe3n\x82H'\xaf"
        b"e\xba%\xc0\xbaL\xc5\xc2\xee\x00>\x13\x02\x13\x03\x13\x01\xc0,\xc00\x00\x9f\xcc\xa9\xcc\xa8\xcc\xaa"
        b"\xc0+\xc0/\x00\x9e\xc0$\xc0(\x00k\xc0#\xc0'\x00g\xc0\n"
        b"\xc0\x14\x009\xc0\t\xc0\x13\x003\x00\x9d\x00\x9c\x00=\x00<\x005\x00/\x00\xff\x01\x00\x00\xa3\x00\x00"
        b"\x00\x06\x00\x04\x00\x00\x01x\x00\x0b\x00\x04\x03\x00\x01\x02\x00\n"
        b"\x00\x16\x00\x14\x00\x1d\x00\x17\x00\x1e\x00\x19\x00\x18\x01\x00\x01\x01\x01\x02\x01\x03\x01\x04\x00"
        b"#\x00\x00\x00\x16\x00\x00\x00\x17\x00\x00\x00\r\x00*\x00(\x04\x03\x05\x03\x06\x03\x08\x07\x08\x08\x08"
        b"\t\x08\n"
        b"\x08\x0b\x08\x04\x08\x05\x08\x06\x04\x01\x05\x01\x06\x01\x03\x03\x03\x01\x03\x02\x04\x02\x05\x02\x06"
        b"\x02\x00+\x00\t\x08\x03\x04\x03\x03\x03\x02\x03\x01\x00-\x00\x02\x01\x01\x003\x00&\x00$\x00\x1d\x00"
        b" \x00js@5\xd5\xe3 \xc4\xf0#\xbb`_\xffm\xfak\xc9\x18%\xbd\xa7\xfc/\xf1[\x12x\xb8\x99B"
    ),
}
"""Complete, as received by a listener from curl 7.88, openssl 3.0, OpenSSH 9.2, psql 15 and git 2.39."""

SPECIFIED = {
    "HTTP, WebSocket upgrade": b"GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "HTTP, every character of a token": b"!#$%&'*+-.^_`|~09Az / HTTP/1.1\r\n\r\n",
    "HTTP after blank lines": b"\r\n\r\n\t FOO / HTTP/1.1\r\n\r\n",
    "HTTP 0.9": b"GET /\r\n",
    "SIP": b"OPTIONS sip:x@h SIP/2.0\r\n\r\n",
    "SMTP": b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
    "IMAP": b"a1 LOGIN x y\r\n",
    "POP3": b"USER x\r\nPASS y\r\n",
    "FTP": b"USER anonymous\r\nPASS x\r\n",
    "NNTP": b"MODE READER\r\n",
    "IRC": b"NICK x\r\nUSER x 0 * :x\r\n",
    "MySQL": b"\x4f\0\0\1\x85\xa6\xff\1\0\0\0\1\x21" + bytes(23) + b"root\0",
    "SQL Server": b"\x12\1\0\x2f\0\0\1\0",
    "Redis": b"*1\r\n$4\r\nPING\r\n",
    "Redis, inline": b"SET x 1\r\n",
    "memcached": b"set x 0 0 1\r\n1\r\n",
    "memcached, binary": b"\x80\0\0\1\0\0\0\0" + bytes(16),
    "MongoDB": b"\x3a\0\0\0\1\0\0\0\0\0\0\0\xd4\7\0\0",
    "Cassandra": b"\4\0\0\0\1\0\0\0\x16",
    "Kafka": b"\0\0\0\x14\0\x12\0\0\0\0\0\1\0\4x\0\0\0",
    "ZooKeeper": b"ruok\n",
    "AMQP": b"AMQP\0\0\x09\1",
    "STOMP": b"CONNECT\nhost:h\n\n\0\n",
    "NATS": b'CONNECT {"verbose":false}\r\nPING\r\n',
    "XMPP": b"<?xml version='1.0'?><stream:stream to='h' xmlns='jabber:client'>\n",
    "SOAP": b'<?xml version="1.0"?>\n<soap:Envelope>\n',
    "RDP": b"\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\3\0\0\0",
    "SMB 2": b"\0\0\0\x6c\xfeSMB\x40\0",
    "NFS": b"\x80\0\0\x28\0\0\0\1\0\0\0\0\0\0\0\2",
    "VNC": b"RFB 003.008\n",
    "X11": b"l\0\x0b\0\0\0\0\0\0\0\0\0",
    "Telnet": b"\xff\xfd\x18\xff\xfd\x20\r\n",
    "Finger": b"root\r\n",
    "Whois": b"example.org\r\n",
    "PROXY protocol 2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c",
    "SOCKS 4": b"\4\1\0\x50\x7f\0\0\1x\0",
    "BitTorrent": b"\x13BitTorrent protocol" + bytes(8),
    "DNS": b"\0\x1d\x12\x34\1\0\0\1\0\0\0\0\0\0\7example\3org\0\0\1\0\1",
    "NTP": b"\x1b" + bytes(47),
    "STUN": b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12),
    "TURN, a channel": b"\x40\0\0\4",
    "syslog": b"<34>1 2003-10-11T22:14:15Z h su - - - x\n",
    "FIX": b"8=FIX.4.2\x019=5\x01",
    "FastCGI": b"\1\1\0\1\0\x08\0\0\0\1\0\0\0\0\0\0",
    "SCGI": b"24:CONTENT_LENGTH\x000\0SCGI\x001\0,",
    "AJP": b"\x12\x34\0\1\x0a",
    "Thrift": b"\x80\1\0\1\0\0\0\4ping\0\0\0\0\0",
    "Language Server Protocol": b"Content-Length: 2\r\n\r\n",
    "JSON text sequence": b"\x1e",
    "JSON, an array": b'[{"command":["true"]},\n',
    "JSON, a string": b'"\n',
    "UTF-8 with a byte order mark": b"\xef\xbb\xbf",
    "UTF-16": b"\xff\xfe{\0\n",
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\3\n",
    "a shell command": b"true\n",
}
"""As many first bytes as are needed to identify the protocol."""
