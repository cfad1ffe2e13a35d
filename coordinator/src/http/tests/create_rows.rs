//! Every check of `create` as data: what is changed in the user guide's request, and a part of the answer.

use harrier_milvus::position;
use harrier_proto::msg::MsgPosition;
use serde_json::{Value, json};

/// A position on a channel, as `position` prints it.
pub(super) fn encoded(channel: &str, message_id: &[u8]) -> String {
    position::encode(&MsgPosition {
        channel_name: channel.to_owned(),
        msg_id: message_id.to_vec().into(),
        ..MsgPosition::default()
    })
}

/// What is changed in the guide's request (JSON merge patch) and a part of the message.
pub(super) fn refused() -> Vec<(Value, &'static str)> {
    let mut rows = target_rows();
    rows.extend(selection_rows());
    rows.extend(position_rows());
    rows.extend(name_mapping_rows());
    rows.extend(type_rows());
    rows
}

fn target_rows() -> Vec<(Value, &'static str)> {
    let param = |patch: Value| json!({ "milvus_connect_param": patch });
    let by_uri = |uri: &str| json!({ "milvus_connect_param": { "uri": uri } });
    vec![
        (json!({ "milvus_connect_param": null }), "the downstream address is empty: set 'uri'"),
        (param(json!({ "host": null, "port": null })), "the downstream address is empty"),
        (
            json!({ "kafka_connect_param": { "address": "k:9092", "topic": "t" } }),
            "don't support milvus and kafka at the same time",
        ),
        (
            json!({ "milvus_connect_param": null, "kafka_connect_param": { "address": "k:9092", "topic": "t" } }),
            "kafka target is not supported yet",
        ),
        (param(json!({ "host": "" })), "the milvus host is empty"),
        (param(json!({ "host": null })), "the milvus host is empty"),
        (param(json!({ "host": "http://localhost" })), "takes only the host"),
        (param(json!({ "host": "root:Milvus@localhost" })), "takes only the host"),
        (param(json!({ "port": 0 })), "the milvus port is not in 1..65535"),
        (param(json!({ "port": -1 })), "the milvus port is not in 1..65535"),
        (param(json!({ "port": 65536 })), "the milvus port is not in 1..65535"),
        (param(json!({ "port": null })), "the milvus port is not in 1..65535"),
        (param(json!({ "username": null })), "cannot set only one of the milvus username and password"),
        (param(json!({ "username": "" })), "cannot set only one of the milvus username and password"),
        (param(json!({ "password": null })), "cannot set only one of the milvus username and password"),
        (param(json!({ "connect_timeout": -1 })), "the milvus connect timeout is less than zero"),
        (param(json!({ "channel_num": -1 })), "the channel num is less than zero"),
        (param(json!({ "channel_num": 99_999_999_999u64 })), "the channel num is too large"),
        (param(json!({ "dial_config": { "ca_pem_path": "/ca" } })), "the dial config is incomplete"),
        (
            param(json!({ "dial_config": {
                "ca_pem_path": "/ca", "client_pem_path": "/c", "client_key_path": "/k", "server_pem_path": "/s"
            } })),
            "the dial config names two kinds of certificates",
        ),
        (
            by_uri("http://root:Milvus@localhost:19530"),
            "the milvus uri holds credentials: take them out and put them into 'token'",
        ),
        (by_uri("ftp://localhost"), "the milvus uri has an unknown scheme"),
        (by_uri("http://localhost:19530/db"), "the milvus uri has a path"),
        (by_uri("http://:19530"), "the milvus uri has no host"),
        (by_uri("http://localhost:70000"), "the port in the milvus uri is not a number from 1 to 65535"),
        (json!({ "buffer_config": { "period": -1 } }), "the cache period is less than zero"),
        (json!({ "buffer_config": { "size": -1 } }), "the cache size is less than zero"),
        (
            json!({ "rpc_channel_info": { "name": "other-replicate-msg" } }),
            "the rpc channel is invalid, the channel name should be the same as the source config: it is 'other-replicate-msg', leave 'rpc_channel_info.name' empty or set it to 'by-dev-replicate-msg'",
        ),
        (
            json!({ "rpc_channel_info": { "position": "%%%" } }),
            "the rpc channel position is not valid: the position is not base64",
        ),
        (json!({ "task_id": "a/b" }), "the task_id has characters that are not allowed"),
        (json!({ "task_id": "任 务" }), "the task_id has characters that are not allowed"),
        (json!({ "task_id": "x".repeat(129) }), "the task_id is longer than 128 characters"),
    ]
}

fn selection_rows() -> Vec<(Value, &'static str)> {
    let infos = |list: Value| json!({ "collection_infos": list });
    let databases = |map: Value| json!({ "collection_infos": null, "db_collections": map });
    vec![
        (infos(Value::Null), "the collection info is empty"),
        (infos(json!([])), "the collection info is empty"),
        (databases(json!({})), "the collection info is empty"),
        (
            json!({ "db_collections": { "db1": [{ "name": "a" }] } }),
            "the collection info and db collection info should be only one",
        ),
        (databases(json!({ "db1": [] })), "empty collection info: name collections of the database 'db1'"),
        (databases(json!({ "": [{ "name": "a" }] })), "there is a db name that is empty"),
        (
            databases(json!({ "d".repeat(257): [{ "name": "a" }] })),
            "there is a db name whose length exceeds 256 characters",
        ),
        (infos(json!([{ "name": "" }])), "there is a collection name that is empty"),
        (infos(json!([{}])), "there is a collection name that is empty"),
        (
            infos(json!([{ "name": "n".repeat(257) }])),
            "there is a collection name whose length exceeds 256 characters",
        ),
        (
            infos(json!([{ "name": "集".repeat(257) }])),
            "there is a collection name whose length exceeds 256 characters",
        ),
        (
            databases(json!({ "db1": [{ "name": "a" }, { "name": "" }] })),
            "there is a collection name that is empty",
        ),
        (infos(json!([{ "name": "a" }, { "name": "a" }])), "the collection 'a' is listed twice"),
        (
            infos(json!([{ "name": "*" }, { "name": "a" }])),
            "make sure the only one collection if you want to use the '*'",
        ),
        (infos(json!([{ "name": "orders_[" }])), "the collection pattern 'orders_[' is not valid"),
        (
            infos(json!([{ "name": "db1.a" }])),
            "the collection name 'db1.a' has a dot: name its database in 'db_collections'",
        ),
        (json!({ "exclude": ["tmp"] }), "the exclude pattern 'tmp' is not of the form database.collection"),
        (
            json!({ "exclude": ["a.b.c"] }),
            "the exclude pattern 'a.b.c' is not of the form database.collection",
        ),
        (json!({ "exclude": [".a"] }), "there is a db name that is empty"),
        (json!({ "exclude": ["a.["] }), "the collection pattern '[' is not valid"),
    ]
}

fn position_rows() -> Vec<(Value, &'static str)> {
    let good = encoded("by-dev-rootcoord-dml_0", &[1, 0, 0, 0, 0, 0, 0, 0]);
    let infos = |name: &str, positions: Value| json!({ "collection_infos": [{ "name": name, "positions": positions }] });
    vec![
        (
            infos("*", json!({ "by-dev-rootcoord-dml_0_1v0": good })),
            "the collection name is `*`, the positions should be empty",
        ),
        (
            infos("a_*", json!({ "by-dev-rootcoord-dml_0_1v0": good })),
            "the collection name is `a_*`, the positions should be empty",
        ),
        (
            infos("a", json!({ "by-dev-rootcoord-dml_0": good })),
            "the position channel name is not virtual channel, 'by-dev-rootcoord-dml_0'",
        ),
        (
            infos("a", json!({ "by-dev-rootcoord-dml_0_1v0": "%%%" })),
            "the position of the channel 'by-dev-rootcoord-dml_0_1v0' is not valid: the position is not base64",
        ),
        (
            infos("a", json!({ "by-dev-rootcoord-dml_0_1v0": encoded("by-dev-rootcoord-dml_0", b"") })),
            "is not valid: the position holds no message id",
        ),
        (
            infos("a", json!({ "by-dev-rootcoord-dml_1_1v0": good })),
            "the position of the channel 'by-dev-rootcoord-dml_1_1v0' belongs to the channel 'by-dev-rootcoord-dml_0'",
        ),
        (
            infos("a", json!({ "by-dev-rootcoord-dml_0_1v0": good, "by-dev-rootcoord-dml_0_2v0": good })),
            "the channel position info should be in the same collection",
        ),
        (
            json!({ "rpc_channel_info": { "position": good } }),
            "the rpc channel position belongs to the channel 'by-dev-rootcoord-dml_0'",
        ),
    ]
}

fn name_mapping_rows() -> Vec<(Value, &'static str)> {
    let two = |mapping: Value| json!({ "collection_infos": [{ "name": "a" }, { "name": "b" }], "name_mapping": mapping });
    let databases = |mapping: Value| {
        json!({
            "collection_infos": null,
            "db_collections": { "db1": [{ "name": "*" }], "db2": [{ "name": "*" }] },
            "name_mapping": mapping,
        })
    };
    vec![
        (
            two(json!([{ "source_db": "default", "collection_mapping": { "a": "x", "b": "x" } }])),
            "'default.a' and 'default.b' would both be written to 'default.x'",
        ),
        (
            two(json!([{ "source_db": "default", "collection_mapping": { "a": "b" } }])),
            "'default.a' and 'default.b' would both be written to 'default.b'",
        ),
        (
            two(json!([{ "source_db": "default", "collection_mapping": { "c": "d" } }])),
            "the collection name in the name mapping is not in the collection info, checkout it: 'default.c' is not selected",
        ),
        (
            two(json!([{ "source_db": "db9", "target_db": "db8" }])),
            "the database 'db9' in the name mapping is not selected by this task",
        ),
        (two(json!([{ "source_db": "*", "target_db": "x" }])), "the db name '*' is a pattern"),
        (two(json!([{ "collection_mapping": { "a": "x_*" } }])), "the collection name 'x_*' is a pattern"),
        (two(json!([{ "collection_mapping": { "a": "" } }])), "there is a collection name that is empty"),
        (
            two(json!([{ "target_db": "x", "collection_mapping": { "a": "a" } }, { "target_db": "y" }])),
            "the source database 'default' is mapped to two target databases",
        ),
        (
            two(json!([{ "collection_mapping": { "a": "x" } }, { "collection_mapping": { "a": "y" } }])),
            "the collection 'default.a' is mapped to two names",
        ),
        (
            databases(json!([{ "source_db": "db1", "target_db": "db2" }])),
            "'db1.*' and 'db2.*' would both be written to 'db2.*'",
        ),
        (
            databases(
                json!([{ "source_db": "db1", "target_db": "x" }, { "source_db": "db2", "target_db": "x" }]),
            ),
            "'db1.*' and 'db2.*' would both be written to 'x.*'",
        ),
    ]
}

fn type_rows() -> Vec<(Value, &'static str)> {
    let param = |patch: Value| json!({ "milvus_connect_param": patch });
    vec![
        (json!({ "milvus_connect_param": "x" }), "'milvus_connect_param' is a string, expected an object"),
        (param(json!({ "host": 5 })), "'milvus_connect_param.host' is a number, expected a string"),
        (param(json!({ "port": "19530" })), "'milvus_connect_param.port' is a string, expected an integer"),
        (
            param(json!({ "port": 1.5 })),
            "'milvus_connect_param.port' is a number with a fraction, expected an integer",
        ),
        (
            param(json!({ "password": 12345 })),
            "'milvus_connect_param.password' is a number, expected a string",
        ),
        (
            param(json!({ "enable_tls": "no" })),
            "'milvus_connect_param.enable_tls' is a string, expected a boolean",
        ),
        (
            param(json!({ "connect_timeout": [] })),
            "'milvus_connect_param.connect_timeout' is an array, expected an integer",
        ),
        (
            param(json!({ "dial_config": [] })),
            "'milvus_connect_param.dial_config' is an array, expected an object",
        ),
        (param(json!({ "HOST": "twice" })), "'milvus_connect_param.host' is given twice"),
        (
            json!({ "kafka_connect_param": { "sasl": 1 } }),
            "'kafka_connect_param.sasl' is a number, expected an object",
        ),
        (json!({ "collection_infos": {} }), "'collection_infos' is an object, expected an array of objects"),
        (json!({ "collection_infos": ["a"] }), "'collection_infos[0]' is a string, expected an object"),
        (json!({ "collection_infos": [null] }), "'collection_infos[0]' is null, expected an object"),
        (
            json!({ "collection_infos": [{ "name": ["a"] }] }),
            "'collection_infos[0].name' is an array, expected a string",
        ),
        (
            json!({ "collection_infos": [{ "name": "a", "positions": [] }] }),
            "'collection_infos[0].positions' is an array, expected an object",
        ),
        (
            json!({ "collection_infos": [{ "name": "a", "positions": { "x": 1 } }] }),
            "'collection_infos[0].positions.x' is a number, expected a string",
        ),
        (
            json!({ "db_collections": { "db": { "name": "a" } } }),
            "'db_collections.db' is an object, expected an array of objects",
        ),
        (
            json!({ "rpc_channel_info": "by-dev-replicate-msg" }),
            "'rpc_channel_info' is a string, expected an object",
        ),
        (
            json!({ "name_mapping": [{ "collection_mapping": { "a": 1 } }] }),
            "'name_mapping[0].collection_mapping.a' is a number, expected a string",
        ),
        (json!({ "exclude": "a.b" }), "'exclude' is a string, expected an array of strings"),
        (
            json!({ "extra_info": { "enable_user_role": 1 } }),
            "'extra_info.enable_user_role' is a number, expected a boolean",
        ),
        (json!({ "disable_auto_start": "true" }), "'disable_auto_start' is a string, expected a boolean"),
        (
            json!({ "buffer_config": { "size": "1MB" } }),
            "'buffer_config.size' is a string, expected an integer",
        ),
        (json!({ "task_id": 5 }), "'task_id' is a number, expected a string"),
    ]
}
