"""Credentials never leave: not in an answer, a log, a metric, nor in plain form on the disk."""

import base64

from harness.prometheus import scrape
from harness.rows import some
from harness.schema import simple
from harness.stand import PASSWORD, USER

TOKEN_PASSWORD = "planted-token-2c7d"


def forms(secret: str) -> list[bytes]:
    """The secret as it may appear: plain, and in base64 wherever it starts within a group."""
    plain = secret.encode()
    shifted = [base64.b64encode(b"x" * shift + plain)[4 if shift else 0:-4] for shift in range(3)]
    return [plain, *shifted]


def files(harrier):
    yield from (path for path in harrier.folder.rglob("*") if path.is_file())
    yield from (process.log for process in harrier.processes())


def test_secrets_are_nowhere(scene, harrier):
    writer = scene.create(simple("secret"))
    writer.insert(some(writer.schema, range(10)))
    token = scene.stand.target()
    for one in ("username", "password", "host", "port"):
        del token[one]
    uri = f"http://{scene.standby.address}"
    task = scene.replicate(milvus_connect_param={**token, "uri": uri, "token": f"{USER}:{PASSWORD}"})
    scene.wait_equal()
    # Wrong credentials are named as the reason, without being shown.
    wrong = {"milvus_connect_param": {"uri": uri, "token": f"{USER}:{TOKEN_PASSWORD}"},
             "db_collections": {"nowhere": [{"name": "*"}]}}
    refused = scene.api.send("create", wrong)
    assert refused.code == 400, refused.text
    # And in a body that is cut off in the middle of them.
    scene.api.raw(f'{{"request_type":"create","request_data":{{"milvus_connect_param":{{"password":"{PASSWORD}'.encode())
    for request in ("get", "list", "pause", "resume", "position"):
        scene.api.send(request, {"task_id": task})

    needles = [form for secret in (PASSWORD, TOKEN_PASSWORD) for form in forms(secret)]
    for answer in scene.api.answers:
        for word in needles:
            assert word.decode() not in answer.text, f"in an answer: {answer.text}"
    for shown in [scene.api.get(task), *scene.api.list()]:
        assert not {"username", "password", "token"} & set(shown["milvus_connect_param"]), shown
    for url in harrier.metrics_urls():
        text, _ = scrape(url)
        assert not any(word.decode() in text for word in needles), url
    looked_into = 0
    for path in files(harrier):
        content = path.read_bytes()
        looked_into += 1
        found = [word for word in needles if word in content]
        assert not found, f"{found} in {path}"
    assert looked_into >= 8, "there should be logs, configurations and the registry"
