//! The commands that a reader sends.

use harrier_proto::pulsar::{
    BaseCommand, CommandAuthResponse, CommandCloseConsumer, CommandConnect, CommandFlow,
    CommandGetLastMessageId, CommandLookupTopic, CommandPing, CommandPong, CommandSubscribe, MessageIdData,
    command_subscribe::SubType,
};

use super::topic;

// Of each command the number of its field.
const CONNECT: i32 = 2;
const SUBSCRIBE: i32 = 4;
const FLOW: i32 = 11;
const CLOSE_CONSUMER: i32 = 16;
const PING: i32 = 18;
const PONG: i32 = 19;
const LOOKUP: i32 = 23;
const GET_LAST_MESSAGE_ID: i32 = 29;
const AUTH_RESPONSE: i32 = 37;

pub(super) fn connect(connect: CommandConnect) -> BaseCommand {
    BaseCommand { r#type: CONNECT, connect: Some(connect), ..BaseCommand::default() }
}

pub(super) fn auth_response(response: CommandAuthResponse) -> BaseCommand {
    BaseCommand { r#type: AUTH_RESPONSE, auth_response: Some(response), ..BaseCommand::default() }
}

pub(super) fn ping() -> BaseCommand {
    BaseCommand { r#type: PING, ping: Some(CommandPing {}), ..BaseCommand::default() }
}

pub(super) fn pong() -> BaseCommand {
    BaseCommand { r#type: PONG, pong: Some(CommandPong {}), ..BaseCommand::default() }
}

pub(super) fn lookup(topic: &str, request_id: u64, authoritative: bool) -> BaseCommand {
    let lookup =
        CommandLookupTopic { topic: topic.to_owned(), request_id, authoritative: Some(authoritative) };
    BaseCommand { r#type: LOOKUP, lookup_topic: Some(lookup), ..BaseCommand::default() }
}

/// A subscription that ends with the connection. `start` is the first message that comes, with all of its entry.
pub(super) fn subscribe(
    topic: &str,
    subscription: String,
    consumer_id: u64,
    request_id: u64,
    start: MessageIdData,
) -> BaseCommand {
    let subscribe = CommandSubscribe {
        topic: topic.to_owned(),
        subscription,
        sub_type: SubType::Exclusive as i32,
        consumer_id,
        request_id,
        consumer_name: Some(topic::CONSUMER.to_owned()),
        durable: Some(false),
        start_message_id: Some(start),
        force_topic_creation: Some(false),
    };
    BaseCommand { r#type: SUBSCRIBE, subscribe: Some(subscribe), ..BaseCommand::default() }
}

pub(super) fn flow(consumer_id: u64, message_permits: u32) -> BaseCommand {
    let flow = CommandFlow { consumer_id, message_permits };
    BaseCommand { r#type: FLOW, flow: Some(flow), ..BaseCommand::default() }
}

pub(super) fn close_consumer(consumer_id: u64, request_id: u64) -> BaseCommand {
    let close = CommandCloseConsumer { consumer_id, request_id };
    BaseCommand { r#type: CLOSE_CONSUMER, close_consumer: Some(close), ..BaseCommand::default() }
}

pub(super) fn get_last_message_id(consumer_id: u64, request_id: u64) -> BaseCommand {
    let get = CommandGetLastMessageId { consumer_id, request_id };
    BaseCommand { r#type: GET_LAST_MESSAGE_ID, get_last_message_id: Some(get), ..BaseCommand::default() }
}
