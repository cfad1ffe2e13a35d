"""`POST /cdc` against the running server: requests and the answers that clients rely on."""

import json

import pytest

from harness.schema import simple

TYPES = "[maintenance create delete pause resume get position list]"
HALF_OF_A_MEGABYTE = 500_000


def create(stand, **changes):
    """A request that would be accepted, with what a case changes; `None` takes a key away."""
    data = {"milvus_connect_param": stand.target(), "db_collections": {"api_test": [{"name": "*"}]}, **changes}
    return {name: value for name, value in data.items() if value is not None}


# What is wrong, how `create` is changed, words of the answer.
REFUSED = [
    ("no target", {"milvus_connect_param": None}, ["milvus_connect_param"]),
    ("an empty target", {"milvus_connect_param": {}}, []),
    ("two targets", {"kafka_connect_param": {"address": "127.0.0.1:9092", "topic": "t"}}, ["kafka_connect_param"]),
    ("an empty host", {"host": ""}, ["host"]),
    ("port 0", {"port": 0}, ["port"]),
    ("port 65536", {"port": 65536}, ["port"]),
    ("a negative port", {"port": -1}, ["port"]),
    ("a user without a password", {"password": ""}, ["password"]),
    ("a password without a user", {"username": ""}, ["username"]),
    ("a negative timeout", {"connect_timeout": -1}, ["connect_timeout"]),
    ("a port that is text", {"port": "19530"}, ["port"]),
    ("a host that is a number", {"host": 5}, ["host"]),
    ("no collection", {"db_collections": None}, ["collection"]),
    ("an empty list", {"db_collections": None, "collection_infos": []}, ["collection"]),
    ("both lists", {"collection_infos": [{"name": "a"}]}, ["collection_infos", "db_collections"]),
    ("an empty name", {"db_collections": {"d": [{"name": ""}]}}, ["name"]),
    ("a name of 257 characters", {"db_collections": {"d": [{"name": "n" * 257}]}}, ["256"]),
    ("positions with a star",
     {"db_collections": None, "collection_infos": [{"name": "*", "positions": {"by-dev-rootcoord-dml_0_1v0": "AA=="}}]},
     ["position"]),
    ("a position whose key is no vchannel",
     {"db_collections": None, "collection_infos": [{"name": "a", "positions": {"nonsense": "AA=="}}]}, ["nonsense"]),
    ("a position that is no base64",
     {"db_collections": None, "collection_infos": [{"name": "a", "positions": {"by-dev-rootcoord-dml_0_1v0": "%%"}}]},
     ["position"]),
    ("another RPC channel", {"rpc_channel_info": {"name": "other-replicate-msg"}}, ["other-replicate-msg"]),
    ("a list that is text", {"db_collections": None, "collection_infos": "all"}, ["collection_infos"]),
    ("a task id that is a number", {"task_id": 7}, ["task_id"]),
]
CONNECTION = {"host", "port", "username", "password", "connect_timeout"}


@pytest.mark.parametrize("changes, words", [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_create_says_what_to_change(stand, harrier, changes, words):
    data = create(stand, **{name: value for name, value in changes.items() if name not in CONNECTION})
    if set(changes) & CONNECTION:
        data["milvus_connect_param"].update(changes)
    answer = harrier.api.send("create", data)
    assert (answer.status, answer.code) == (200, 400), answer.text
    assert answer.content_type.startswith("application/json")
    for word in words:
        assert word in answer.message, answer.text
    assert harrier.api.list() == []


def test_create_refuses_targets_that_cannot_work(stand, harrier):
    nobody = stand.unused_ports[0]
    unreachable = stand.target(port=nobody, connect_timeout=1)
    answer = harrier.api.send("create", create(stand, milvus_connect_param=unreachable))
    assert answer.code == 400 and str(nobody) in answer.message, answer.text

    answer = harrier.api.send("create", create(stand, milvus_connect_param=stand.target(password="wrong")))
    assert answer.code == 400 and "credential" in answer.message.lower(), answer.text

    # The source itself is writable: not a standby.
    host, port = stand.pair.source.address.split(":")
    answer = harrier.api.send("create", create(stand, milvus_connect_param={"host": host, "port": int(port)}))
    assert answer.code == 400 and "ttMsgEnabled" in answer.message, answer.text

    kafka = {"address": "127.0.0.1:9092", "topic": "t"}
    answer = harrier.api.send("create", create(stand, milvus_connect_param=None, kafka_connect_param=kafka))
    assert answer.code == 400 and "kafka target is not supported yet" in answer.message, answer.text
    assert harrier.api.list() == []


# Body, code, words of the answer.
RAW = [
    ("malformed", b'{"request_type": "list",', 400, ["fail to unmarshal the request, error:", "line"]),
    ("empty", b"", 400, ["fail to unmarshal the request"]),
    ("an array", b"[]", 400, []),
    ("a number", b"5", 400, []),
    ("null", b"null", 400, []),
    ("no UTF-8", b'{"request_type": "\xff\xfe"}', 400, []),
    ("an unknown type", b'{"request_type": "dance"}', 400, [f"invalid 'request_type' param, can be set {TYPES}"]),
    ("no type", b"{}", 400, ["request_type", TYPES]),
    ("a type that is a number", b'{"request_type": 5}', 400, ["request_type"]),
    ("data that is a list", b'{"request_type": "get", "request_data": []}', 400, ["request_data"]),
    ("an id that is a number", b'{"request_type": "get", "request_data": {"task_id": 5}}', 400, ["task_id"]),
    ("an id that is missing", b'{"request_type": "get"}', 400, ["task_id"]),
    ("unicode", '{"request_type": "get", "request_data": {"task_id": "任务😀"}}'.encode(), 400, ["任务😀"]),
    ("unknown keys", b'{"request_type": "list", "request_data": {"colour": "blue"}, "more": 1}', 200, []),
    ("another spelling", b'{"request_type": "get", "request_data": {"Task_ID": "absent"}}', 400, ["absent"]),
    ("nested deeply", b'{"request_type": "list", "request_data": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001, 400, []),
]


@pytest.mark.parametrize("body, code, words", [case[1:] for case in RAW], ids=[case[0] for case in RAW])
def test_any_body_gets_an_answer(harrier, body, code, words):
    answer = harrier.api.raw(body)
    assert (answer.status, answer.code) == (200, code), answer.text
    for word in words:
        assert word in answer.message, answer.text


def test_ten_megabytes_are_refused_and_the_server_lives(harrier):
    filler = "x" * (10 << 20)
    body = json.dumps({"request_type": "get", "request_data": {"task_id": filler}}).encode()
    try:
        answer = harrier.api.raw(body)
        assert answer.status in (200, 413) and answer.code in (400, 413), answer.text[:500]
        assert len(answer.text) < 10_000
    except OSError:
        # Refused by its length before it was read: the connection may close while we still send.
        pass
    assert harrier.api.list() == []
    half = json.dumps({"request_type": "list", "request_data": {"comment": "y" * HALF_OF_A_MEGABYTE}}).encode()
    assert harrier.api.raw(half).code == 200


def test_other_methods_are_answered(harrier):
    for method in ("GET", "PUT", "DELETE"):
        answer = harrier.api.raw(b"", method=method)
        assert (answer.status, answer.code) == (200, 405), answer.text
        assert answer.message == "only support the POST method"


def test_an_unknown_task_is_named_in_the_go_tools_words(harrier):
    for request in ("get", "pause", "resume", "delete"):
        answer = harrier.api.send(request, {"task_id": "absent"})
        assert (answer.status, answer.code) == (200, 400), answer.text
        expected = f"fail to handle the {request} request, error: not found the task, task_id: absent"
        assert answer.message == expected
    assert harrier.api.ok("delete", {"task_id": "absent", "ignore_not_found": True}) == {}


def test_an_empty_list_is_an_array(harrier):
    assert harrier.api.ok("list") == {"tasks": []}


def test_maintenance_sets_the_log_level(harrier):
    for level in ("debug", "info"):
        answer = harrier.api.ok("maintenance", {"operation": "set_log_level", "params": {"log_level": level}})
        assert answer == {"State": f"set log level to {level}"}
    for wrong in ({"operation": "set_log_level", "params": {"log_level": "loud"}}, {"operation": "dance"}, {}):
        assert harrier.api.send("maintenance", wrong).code == 400, wrong


def test_answers_have_the_shape_of_the_guide(scene, harrier):
    scene.create(simple("shown"))
    task = scene.replicate(collections=["shown", "später_数据"])
    answer = harrier.api.ok("get", {"task_id": task})
    assert answer["Task"] == answer["task"]
    shown = answer["task"]
    assert shown["task_id"] == task and shown["state"] in ("Initial", "Running")
    target = shown["milvus_connect_param"]
    wanted = scene.stand.target()
    assert (target["host"], target["port"], target["connect_timeout"]) == (wanted["host"], wanted["port"], 10)
    assert [info["name"] for info in shown["db_collections"][scene.database]] == ["shown", "später_数据"]
    assert task in [one["task_id"] for one in harrier.api.list()]
    positions = harrier.api.ok("position", {"task_id": task})
    assert all(isinstance(positions[name], list) for name in ("positions", "op_positions", "target_positions"))

    again = scene.api.send("create", {"milvus_connect_param": wanted,
                                      "db_collections": {scene.database: [{"name": "shown"}]}})
    assert again.code == 400 and "shown" in again.message, again.text
    for request in ("pause", "resume", "delete"):
        assert harrier.api.send(request, {"task_id": task}).body == {"code": 200, "data": {}}


def test_unicode_names_and_odd_spellings_of_keys(scene, harrier):
    answer = harrier.api.raw(json.dumps({"request_type": "create", "request_data": {
        "Milvus_Connect_Param": scene.stand.target(), "TASK_ID": "aufgabe-数据-😀",
        "DB_Collections": {"größe_数据": [{"Name": "*"}]},
    }}, ensure_ascii=False).encode())
    assert answer.code == 200, answer.text
    scene.tasks.append(answer.body["data"]["task_id"])
    assert scene.tasks == ["aufgabe-数据-😀"]
    assert harrier.api.get("aufgabe-数据-😀")["db_collections"]["größe_数据"][0]["name"] == "*"
