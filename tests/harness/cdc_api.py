"""A client of `POST /cdc` that remembers every answer, so that a test can look for secrets in all of them."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass

# No proxy, whatever the environment says: these are servers on this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    """One answer: the HTTP status, the body as text and, where it is JSON, parsed."""

    status: int
    text: str
    content_type: str

    @property
    def body(self) -> dict:
        return json.loads(self.text)

    @property
    def code(self) -> int:
        return self.body["code"]

    @property
    def message(self) -> str:
        return self.body.get("message", "")


class Refused(AssertionError):
    """The answer's code was not 200."""


class CdcApi:
    """The API of one coordinator."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[Answer] = []

    def raw(self, body: bytes, method: str = "POST", path: str = "/cdc", timeout_s: float = 30,
            headers: dict[str, str] | None = None) -> Answer:
        """Sends the bytes as they are."""
        request = urllib.request.Request(self.url + path, data=body or None, method=method,
                                         headers={"Content-Type": "application/json", **(headers or {})})
        try:
            with _OPENER.open(request, timeout=timeout_s) as reply:
                answer = _answer(reply)
        except urllib.error.HTTPError as reply:
            answer = _answer(reply)
        self.answers.append(answer)
        return answer

    def send(self, request_type: str, data: object = None, timeout_s: float = 30) -> Answer:
        """One request, whatever the answer."""
        body: dict = {"request_type": request_type}
        if data is not None:
            body["request_data"] = data
        return self.raw(json.dumps(body).encode(), timeout_s=timeout_s)

    def ok(self, request_type: str, data: object = None) -> dict:
        """The answer's `data`; anything but code 200 fails."""
        answer = self.send(request_type, data)
        if answer.status != 200 or answer.code != 200:
            raise Refused(f"{request_type}: HTTP {answer.status}: {answer.text}")
        return answer.body["data"]

    # The requests by name.

    def create(self, data: dict) -> str:
        return self.ok("create", data)["task_id"]

    def get(self, task: str) -> dict:
        return self.ok("get", {"task_id": task})["task"]

    def state(self, task: str) -> str:
        return self.get(task)["state"]

    def list(self) -> list[dict]:
        return self.ok("list")["tasks"]

    def pause(self, task: str) -> None:
        self.ok("pause", {"task_id": task})

    def resume(self, task: str) -> None:
        self.ok("resume", {"task_id": task})

    def delete(self, task: str) -> None:
        self.ok("delete", {"task_id": task, "ignore_not_found": True})


def _answer(reply) -> Answer:
    return Answer(reply.status, reply.read().decode(errors="replace"), reply.headers.get("Content-Type", ""))
