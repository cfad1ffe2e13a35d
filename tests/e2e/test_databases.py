"""Which databases and collections a task selects."""

from harness.compare import Name
from harness.rows import some
from harness.schema import simple
from harness.writer import Writer


def fill(scene, database, name, keys=range(50)):
    schema = simple(name)
    scene.source.create_collection(database, schema)
    insert(scene, database, schema, keys)
    return Name(database, name)


def insert(scene, database, schema, keys):
    Writer(scene.source, database, schema).insert(some(schema, keys))


def test_a_star_means_every_database(scene):
    names = [fill(scene, scene.database, "before"), fill(scene, "default", "star_before")]
    # The guide's own body, with the standby's address and credentials.
    request = {"milvus_connect_param": {**scene.stand.target(), "enable_tls": False},
               "collection_infos": [{"name": "*"}],
               "rpc_channel_info": {"name": scene.stand.pair.replicate_channel}}
    task = scene.api.create(request)
    scene.tasks.append(task)
    later = f"{scene.database}_later"
    scene.source.create_database(later)
    names += [fill(scene, later, "in_a_new_database"), fill(scene, "default", "star_after"),
              fill(scene, scene.database, "after")]
    scene.wait_equal(names=names)

    # A second task for the same collections would write every row twice.
    refused = scene.api.send("create", request)
    assert refused.code == 400 and "already" in refused.message, refused.text


def test_lists_and_patterns_select_collections(scene):
    database = scene.database
    other = f"{database}_other"
    scene.source.create_database(other)
    wanted = [fill(scene, database, name) for name in ("orders_2023", "orders_2024", "users")]
    fill(scene, database, "logs")
    wanted.append(fill(scene, other, "users"))
    fill(scene, other, "orders_2024")
    task = scene.replicate(db_collections={
        database: [{"name": "orders_*"}, {"name": "users"}], other: [{"name": "users"}],
    })
    wanted.append(fill(scene, database, "orders_2025"))
    fill(scene, other, "logs")
    # The newest that is wanted has arrived: what is not wanted had its time.
    scene.wait_equal(names=wanted)
    assert scene.standby.collections(database) == ["orders_2023", "orders_2024", "orders_2025", "users"]
    assert scene.standby.collections(other) == ["users"]
    shown = scene.api.get(task)["db_collections"]
    assert [info["name"] for info in shown[database]] == ["orders_*", "users"], shown


def test_names_of_the_default_database(scene):
    wanted = [fill(scene, "default", "chosen_one"), fill(scene, "default", "chosen_two")]
    fill(scene, "default", "not_chosen")
    task = scene.api.create({"milvus_connect_param": scene.stand.target(),
                             "collection_infos": [{"name": "chosen_one"}, {"name": "chosen_two"}]})
    scene.tasks.append(task)
    insert(scene, "default", simple("chosen_one"), range(50, 80))
    scene.wait_equal(names=wanted)
    assert "not_chosen" not in scene.standby.collections("default")
