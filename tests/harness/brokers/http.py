"""Requests to the admin interface of a broker on this machine."""

import json
import urllib.request

# No proxy, whatever the environment says.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def request(url: str, method: str = "GET", body: object = None, timeout_s: float = 20) -> object:
    """The JSON that comes back, text if it is none, None if nothing does."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json"})
    with _OPENER.open(asked, timeout=timeout_s) as answer:
        text = answer.read().decode()
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
