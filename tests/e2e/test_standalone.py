"""`harrier standalone`: both roles in one process, told nothing but where the source is."""

import signal
import subprocess
import urllib.request

import yaml

from harness.cdc_api import CdcApi
from harness.harrier import binary
from harness.process import Process
from harness.rows import some
from harness.schema import simple
from harness.wait import until


def test_standalone_needs_the_source_and_makes_its_key(scene, tmp_path):
    pair = scene.stand.pair
    http, grpc = scene.stand.unused_ports[1:3]
    # The source as the Go tool's configuration says it; the broker is a key of Harrier's own.
    config = tmp_path / "cdc.yaml"
    config.write_text(yaml.safe_dump({
        "address": f"127.0.0.1:{http}", "maxTaskNum": 100,
        "sourceConfig": {
            "etcd": {"address": [f"http://{pair.etcd.endpoint}"], "rootPath": pair.source.name, "metaSubPath": "meta"},
            "replicateChan": pair.replicate_channel,
        },
        "source": {"log": {"kind": "nats", "address": pair.source.nats_address}},
    }))
    process = Process("standalone", [
        str(binary()), "standalone", "--config", str(config), "--data-dir", str(tmp_path / "data"),
        "--grpc-address", f"127.0.0.1:{grpc}",
    ], tmp_path / "standalone.log")
    api = CdcApi(f"http://127.0.0.1:{http}")
    process.start()
    try:
        def ready():
            process.check_alive()
            with urllib.request.urlopen(f"{api.url}/readyz", timeout=5) as answer:
                return answer.status == 200

        until("the standalone process to be ready", ready, 20)
        writer = scene.create(simple("alone"))
        writer.insert(some(writer.schema, range(100)))
        task = api.create({"milvus_connect_param": scene.stand.target(),
                           "db_collections": {scene.database: [{"name": "*"}]}})
        writer.delete_keys(list(range(10)))
        scene.wait_equal()
        assert process.terminate() == 0, process.tail()
        # Its registry and its key are on the disk: the same process again goes on where it was.
        process.start()
        until("the standalone process to be ready again", ready, 20)
        assert api.state(task) == "Running"
        writer.insert(some(writer.schema, range(200, 250)))
        scene.wait_equal()
        api.delete(task)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{process.tail()}") from error
    finally:
        process.signal(signal.SIGKILL)


def test_a_wrong_configuration_names_key_value_and_what_was_expected(tmp_path):
    cases = [
        ({"coordinator": {"colour": "blue"}}, ["coordinator", "colour"]),
        ({"worker": {"tick_interval_ms": "soon"}}, ["worker.tick_interval_ms", "soon"]),
        ({"source": {"log": {"kind": "rabbit"}}}, ["source.log", "rabbit", "nats"]),
        ({"sauce": {}}, ["sauce"]),
    ]
    for number, (content, words) in enumerate(cases):
        path = tmp_path / f"{number}.yaml"
        path.write_text(yaml.safe_dump(content))
        done = subprocess.run([str(binary()), "config", "check", "--config", str(path)], text=True, timeout=20,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode != 0, f"{content} was accepted"
        for word in words:
            assert word in done.stdout, f"{content}: {done.stdout}"
