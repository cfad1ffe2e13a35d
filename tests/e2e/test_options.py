"""What a task can be told besides what it copies: each has its effect."""

import socket
import subprocess
import time

import pytest

from harness.compare import Comparison, Name
from harness.rows import some
from harness.schema import simple
from harness.wait import until


def test_partitions_are_ignored(scene):
    writer = scene.create(simple("parted"), shards=2)
    writer.add_partition("before")
    writer.insert(some(writer.schema, range(60)), "before")
    writer.insert(some(writer.schema, range(100, 140)))
    scene.replicate(milvus_connect_param=scene.target(ignore_partition=True))
    writer.add_partition("after")
    writer.insert(some(writer.schema, range(200, 230)), "after")
    writer.delete_keys(list(range(10)), "before")
    scene.comparison().wait_readable()
    rows = 50 + 40 + 30
    until("all rows to be in one partition",
          lambda: scene.standby.count(scene.database, "parted", 1, ["_default"]) == rows, 40)
    assert scene.standby.partitions(scene.database, "parted") == ["_default"]


def test_names_are_mapped_in_everything(scene):
    """Rows, deletions, partitions, renames and drops; a collection that is not listed only changes its database."""
    source, standby, copy = scene.source, scene.standby, f"{scene.database}_copy"
    listed, other = scene.create(simple("listed"), shards=2), scene.create(simple("other"))
    listed.insert(some(listed.schema, range(100)))
    scene.replicate(name_mapping=[{"source_db": scene.database, "target_db": copy,
                                   "collection_mapping": {"listed": "elsewhere"}}])
    listed.add_partition("later")
    listed.insert(some(listed.schema, range(100, 150)), "later")
    listed.delete_keys(list(range(30)))
    other.insert(some(other.schema, range(20)))

    def equal(*pairs):
        names = {Name(scene.database, ours): Name(copy, theirs) for ours, theirs in pairs}
        Comparison(source, standby, names, names.get).wait_equal()

    equal(("listed", "elsewhere"), ("other", "other"))
    source.rename_collection(scene.database, "other", "renamed")
    until("the rename to be followed", lambda: standby.collections(copy) == ["elsewhere", "renamed"], 30)
    source.release(scene.database, "listed")
    source.drop_collection(scene.database, "listed")
    until("the drop to be followed", lambda: standby.collections(copy) == ["renamed"], 40)
    equal(("renamed", "renamed"))
    assert scene.database not in standby.databases()


def test_two_collections_are_not_mapped_onto_one(scene):
    scene.create(simple("one"))
    target = {"milvus_connect_param": scene.target(), "db_collections": {scene.database: [{"name": "*"}]}}
    mapping = {"source_db": scene.database, "collection_mapping": {"one": "same", "two": "same"}}
    refused = scene.api.send("create", {**target, "name_mapping": [mapping]})
    assert refused.code == 400 and "would both be written to" in refused.message, refused.text
    # Only the catalog shows this one: the other is created later.
    task = scene.replicate(name_mapping=[{"source_db": scene.database, "collection_mapping": {"one": "two"}}])
    until("the first one to have its copy",
          lambda: scene.standby.collections(scene.database) == ["two"], 30)
    scene.create(simple("two"))
    until("the second one to be held", lambda: [
        one["name"] for one in scene.api.get(task).get("held_collections", [])] == ["two"], 30)


def test_the_log_level_changes_what_is_logged(scene, harrier):
    def debug_lines():
        return harrier.coordinator.log.read_text(errors="replace").count(" DEBUG ")

    def ask():
        scene.api.list()
        return debug_lines()

    scene.api.ok("maintenance", {"operation": "set_log_level", "params": {"log_level": "info"}})
    before = ask()
    scene.api.ok("maintenance", {"operation": "set_log_level", "params": {"log_level": "debug"}})
    until("what is told at that level", lambda: ask() > before, 10)
    scene.api.ok("maintenance", {"operation": "set_log_level", "params": {"log_level": "info"}})
    quiet = debug_lines()
    assert ask() == quiet


def test_a_connection_is_waited_for_as_long_as_the_task_says(scene):
    """Nobody takes connections at this address: the queue of the system is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        try:
            took = {}
            for seconds in (1, 4):
                target = {"host": address[0], "port": address[1], "connect_timeout": seconds}
                begin = time.monotonic()
                answer = scene.api.send("create", {"milvus_connect_param": target,
                                                   "db_collections": {scene.database: [{"name": "*"}]}}, timeout_s=40)
                took[seconds] = time.monotonic() - begin
                assert answer.code == 400 and str(address[1]) in answer.message, answer.text
        finally:
            for one in waiting:
                one.close()
    assert took[1] < 3 < took[4], took


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, a server and a client, signed by it."""
    folder = tmp_path_factory.mktemp("certificates")

    def run(*arguments):
        done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
        "-subj", "/CN=authority", "-addext", "basicConstraints=critical,CA:TRUE")
    for name in ("server", "client"):
        run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
            "-subj", f"/CN=standby.{name}")
        (folder / f"{name}.ext").write_text(f"subjectAltName=DNS:standby.{name}\nbasicConstraints=CA:FALSE\n")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", f"{name}.pem", "-days", "2", "-extfile", f"{name}.ext")
    return folder


def test_certificates_open_the_way_to_a_standby_that_asks_for_them(scene, extra_standby, certificates):
    """Mutual TLS, and a certificate for another name than the address."""
    def path(name):
        return str(certificates / name)

    standby = extra_standby("encrypted", settings={
        "common.security.tlsMode": 2, "tls.serverPemPath": path("server.pem"), "tls.serverKeyPath": path("server.key"),
        "tls.caPemPath": path("ca.pem")})
    scene.create(simple("secret"))
    request = {"db_collections": {scene.database: [{"name": "*"}]}}

    def create(**target):
        param = {"uri": f"https://{standby.server.address}", "connect_timeout": 5, **target}
        return scene.api.send("create", {**request, "milvus_connect_param": param}, timeout_s=40)

    files = {f"{what}_path": path(name) for what, name in
             (("ca_pem", "ca.pem"), ("client_pem", "client.pem"), ("client_key", "client.key"))}
    assert create().code == 400
    assert create(dial_config=files).code == 400, "the certificate is that of another name"
    created = create(dial_config={**files, "server_name": "standby.server"})
    assert created.code == 200, created.text
    task = created.body["data"]["task_id"]
    scene.tasks.append(task)

    def mapped():
        return scene.api.raw(b"", "GET", f"/cluster/tasks/{task}").body["data"]

    # The workers reach it in the same way: they bring the ticks.
    until("the collection to be brought there", lambda: mapped()["collections"] and mapped()["caught_up"], 40)
