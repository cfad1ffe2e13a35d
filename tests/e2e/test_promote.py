"""docs/promote.md, command by command: a standby becomes the primary."""

from harness.compare import Name
from harness.rows import some
from harness.rpc import Rpc, RpcError
from harness.schema import simple
from harness.verify import verify
from harness.wait import until
from harness.writer import Writer


def test_a_standby_becomes_the_primary(scene_on, harrier, extra_standby):
    standby = extra_standby("promoted")
    scene = scene_on(standby)
    writer = scene.create(simple("orders"), shards=2)
    writer.insert(some(writer.schema, range(200)))
    task = scene.replicate()
    scene.wait_equal()
    writer.insert(some(writer.schema, range(200, 300)))

    # 1 and 2: nobody writes any more; what the standby has.
    last_write = scene.source.timestamp()

    def shown():
        answer = scene.api.raw(b"", "GET", f"/cluster/tasks/{task}").body
        assert answer["code"] == 200, answer
        return answer["data"]

    until("everything to be there", lambda: (shown()["reached_ts"] or 0) > last_write, 30)
    seen = shown()
    assert seen["caught_up"] and seen["held"] == [] and seen["drops"] == 0 and seen["state"] == "Running", seen
    assert seen["reached"] == seen["reached_ts"] >> 18
    assert [len(one["channels"]) for one in seen["collections"]] == [2]
    result = verify(scene, task)
    assert result.code == 0 and "equal: 1 collections, 300 rows" in result.text, result.text

    # 3: Harrier stops.
    scene.api.pause(task)

    def stopped():
        senders = scene.api.raw(b"", "GET", "/cluster").body["data"]["senders"]
        own = [one["state"] for one in senders if one["target_id"] == seen["target_id"]]
        return own and not {"running", "stopping"} & set(own)

    until("its senders to have ended", stopped, 20)

    # 4: one key.
    primary = Writer(Rpc(standby.server.address), scene.database, writer.schema)
    etcd, name = scene.stand.pair.etcd, standby.server.name
    try:
        primary.insert(some(writer.schema, [1000]))
        raise AssertionError("it is a standby still")
    except RpcError as refused:
        assert "deny" in str(refused), refused
    etcd.put(f"{name}/config/common/ttMsgEnabled", b"true")

    def takes_writes():
        try:
            return primary.insert(some(writer.schema, [1000]))
        except RpcError as refused:
            raise AssertionError(str(refused)) from refused

    until("it to take writes", takes_writes, 40)

    # 5 and 6: it has what the source had, and takes what clients do.
    scene.api.delete(task)
    primary.delete_keys([5])
    until("all rows to be there", lambda: primary.rpc.count(
        scene.database, "orders", primary.rpc.timestamp()) == 300, 40)
    assert Name(scene.database, "orders").collection in primary.rpc.collections(scene.database)
    primary.rpc.close()
