//! `position`, and positions in `create`.

use harrier_milvus::{position, tso};
use harrier_proto::msg::MsgPosition;
use serde_json::{Value, json};

use super::life::map_orders;
use super::server::{Server, merge};

const VCHANNEL: &str = "by-dev-rootcoord-dml_3_449v0";
const REQUESTS: &str = "by-dev-replicate-msg";

fn place(channel: &str, number: u64) -> String {
    let msg_id = number.to_le_bytes().to_vec().into();
    position::encode(&MsgPosition { channel_name: channel.to_owned(), msg_id, ..MsgPosition::default() })
}

fn orders_from(encoded: &str) -> Value {
    let mut data = Server::guide();
    let patch = json!({ "collection_infos": [{
        "name": "orders", "positions": { VCHANNEL: encoded }, "use_start_position": true
    }] });
    merge(&mut data, &patch);
    data
}

#[tokio::test]
async fn what_position_prints_can_be_given_to_create() {
    let server = Server::start().await;
    server.log.holds(3, 12);
    let task_id = server.create(Server::guide()).await;
    map_orders(&server, &task_id).await;

    let answer = server.cdc("position", json!({ "task_id": task_id })).await.json();
    let positions = answer["data"]["positions"].as_array().unwrap().clone();
    assert_eq!(positions.len(), 1);
    let printed = &positions[0];
    assert_eq!((&printed["collection_id"], &printed["channel_name"]), (&json!(449), &json!(VCHANNEL)));
    assert_eq!(printed["time"], json!(tso::physical_ms(printed["tt"].as_u64().unwrap())));
    let decoded = position::decode(printed["msg_id"].as_str().unwrap()).unwrap();
    assert_eq!(decoded.channel_name, "by-dev-rootcoord-dml_3");
    assert_eq!(decoded.msg_id.as_ref(), 9u64.to_le_bytes());

    let requests = &answer["data"]["op_positions"][0];
    assert_eq!((&requests["collection_id"], &requests["channel_name"]), (&json!(0), &json!(REQUESTS)));
    let decoded = position::decode(requests["msg_id"].as_str().unwrap()).unwrap();
    assert_eq!(decoded.msg_id.as_ref(), 12u64.to_le_bytes());
    // No worker has written anything here.
    assert_eq!(answer["data"]["target_positions"], json!([]));

    assert_eq!(server.cdc("delete", json!({ "task_id": task_id })).await.code(), 200);
    let mut again = orders_from(printed["msg_id"].as_str().unwrap());
    merge(&mut again, &json!({ "rpc_channel_info": { "position": requests["msg_id"] } }));
    server.create(again).await;
}

#[tokio::test]
async fn positions_that_the_log_no_longer_holds_are_refused_with_the_oldest_one() {
    let server = Server::start().await;
    server.log.holds(20, 30);
    let channel = "by-dev-rootcoord-dml_3";
    let lost = server.cdc("create", orders_from(&place(channel, 9))).await;
    assert_eq!(lost.code(), 400);
    let message = lost.message();
    assert!(message.contains(VCHANNEL) && message.contains("the oldest one available is 20"), "{message}");
    // A channel that was made anew is shorter than the position.
    let ahead = server.cdc("create", orders_from(&place(channel, 31))).await;
    assert!(ahead.message().contains("the newest 30"), "{}", ahead.message());
    let mut data = Server::guide();
    merge(&mut data, &json!({ "rpc_channel_info": { "position": place(REQUESTS, 4) } }));
    let requests = server.cdc("create", data).await;
    assert!(
        requests.message().contains("the rpc channel position is not on the source log"),
        "{}",
        requests.text
    );
    // Nobody was asked for the target before.
    assert_eq!(server.target.probed().len(), 0);
    server.create(orders_from(&place(channel, 19))).await;
}
