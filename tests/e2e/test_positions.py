"""Positions: what one task printed, another one begins with."""

from harness.compare import Name
from harness.nats import purge
from harness.rows import some
from harness.schema import simple
from harness.wait import until
from harness.written import written_rows


def test_a_new_task_goes_on_exactly_where_another_one_was(scene, harrier):
    writer = scene.create(simple("orders"), shards=2)
    writer.insert(some(writer.schema, range(500)))
    first = scene.replicate(collections=["orders"])
    scene.wait_equal()
    until("the first rows to be counted", lambda: written_rows(harrier, first) == 500, 20)
    scene.api.pause(first)
    printed = scene.api.ok("position", {"task_id": first})
    assert len(printed["positions"]) == 2 and len(printed["op_positions"]) == 1, printed
    requests = printed["op_positions"][0]
    assert requests["channel_name"] == scene.stand.pair.replicate_channel

    writer.insert(some(writer.schema, range(500, 600)))
    writer.delete_keys(list(range(20)))
    scene.api.delete(first)
    positions = {one["channel_name"]: one["msg_id"] for one in printed["positions"]}
    second = scene.replicate(
        db_collections={scene.database: [{"name": "orders", "positions": positions, "use_start_position": True}]},
        rpc_channel_info={"name": requests["channel_name"], "position": requests["msg_id"]})
    scene.wait_equal(names=[Name(scene.database, "orders")])
    # Nothing of before went a second time.
    until("the rows that came since to be counted", lambda: written_rows(harrier, second) == 100, 20)
    on_target = scene.api.ok("position", {"task_id": second})["target_positions"]
    channels = scene.standby.describe(scene.database, "orders").virtual_channel_names
    assert sorted(one["channel_name"] for one in on_target) == sorted(channels)
    assert all(one["msg_id"] and one["tt"] > 0 for one in on_target)


def test_a_position_that_the_log_no_longer_has_is_refused(scene):
    source, channel = scene.stand.pair.source, scene.stand.pair.replicate_channel
    scene.create(simple("asked_for"))
    task = scene.replicate()
    # Each asks for something on the channel of requests.
    for number in range(3):
        source_database = f"{scene.database}_{number}"
        scene.source.create_database(source_database)
    old = scene.api.ok("position", {"task_id": task})["op_positions"][0]["msg_id"]
    for number in range(3, 6):
        scene.source.create_database(f"{scene.database}_{number}")
    request = {"milvus_connect_param": scene.target(), "db_collections": {f"{scene.database}_0": [{"name": "*"}]},
               "rpc_channel_info": {"name": channel, "position": old}}
    scene.tasks.append(scene.api.create(request))
    scene.api.delete(scene.tasks[-1])
    purge(source.nats_address, channel, keep=1)
    refused = scene.api.send("create", request)
    assert refused.code == 400 and "the oldest one available is" in refused.message, refused.text
