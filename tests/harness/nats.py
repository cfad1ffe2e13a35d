"""The few words of NATS that a test needs to take messages out of a source's log."""

import json
import socket


def purge(address: str, stream: str, keep: int = 0) -> None:
    """Takes all messages out of a stream but the newest `keep`."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        lines = connection.makefile("rb")
        assert lines.readline().startswith(b"INFO")
        body = json.dumps({"keep": keep}).encode() if keep else b""
        connection.sendall(b'CONNECT {"verbose":false}\r\nSUB answer 1\r\n' +
                           f"PUB $JS.API.STREAM.PURGE.{stream} answer {len(body)}\r\n".encode() + body + b"\r\n")
        while not (line := lines.readline()).startswith(b"MSG answer"):
            assert line and not line.startswith(b"-ERR"), line
        answer = json.loads(lines.readline())
        assert answer.get("success"), answer
