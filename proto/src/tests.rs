//! What the crates above rely on in the generated types, checked against hand-made wire bytes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::common::{MsgBase, MsgHeader, MsgType};
use crate::harrier::v1::{RegisterReply, SourceLog, TargetConnection};
use crate::msg::{DeleteRequest, InsertRequest};
use crate::schema::{DataType, FieldData, VectorField, field_data, vector_field};

fn insert() -> InsertRequest {
    let vectors = VectorField {
        dim: 8,
        data: Some(vector_field::Data::BinaryVector(Bytes::from_static(&[0xA5, 0x5A]))),
    };
    InsertRequest {
        base: Some(MsgBase {
            msg_type: MsgType::Insert as i32,
            msg_id: 7,
            timestamp: 42,
            ..MsgBase::default()
        }),
        shard_name: "by-dev-rootcoord-dml_3_444v0".into(),
        collection_id: 444,
        timestamps: vec![42, 43],
        row_i_ds: vec![1, 2],
        fields_data: vec![FieldData {
            r#type: DataType::BinaryVector as i32,
            field_name: "v".into(),
            field_id: 101,
            field: Some(field_data::Field::Vectors(vectors)),
            ..FieldData::default()
        }],
        num_rows: 2,
        ..InsertRequest::default()
    }
}

/// Appends a length-delimited field, as a newer Milvus would.
fn push_field(buffer: &mut BytesMut, number: u32, value: &[u8]) {
    encode_key(number, WireType::LengthDelimited, buffer);
    encode_varint(value.len() as u64, buffer);
    buffer.put_slice(value);
}

#[test]
fn a_header_reads_the_base_of_any_message() {
    let wire = insert().encode_to_vec();
    let base = MsgHeader::decode(wire.as_slice()).unwrap().base.unwrap();
    assert_eq!(base.msg_type(), MsgType::Insert);
    assert_eq!((base.msg_id, base.timestamp), (7, 42));
}

#[test]
fn an_insert_with_unknown_fields_decodes_and_loses_only_those() {
    let mut wire = BytesMut::from(insert().encode_to_vec().as_slice());
    push_field(&mut wire, 900, b"of a later version");
    encode_key(901, WireType::Varint, &mut wire);
    encode_varint(u64::MAX, &mut wire);
    let decoded = InsertRequest::decode(wire.freeze()).unwrap();
    assert_eq!(decoded, insert());
}

#[test]
fn an_unknown_enum_value_is_kept() {
    let base = MsgBase { msg_type: 9_999, ..MsgBase::default() };
    let decoded = MsgBase::decode(base.encode_to_vec().as_slice()).unwrap();
    assert_eq!(decoded.msg_type, 9_999);
    assert!(MsgType::try_from(decoded.msg_type).is_err());
}

#[test]
fn a_delete_by_expression_is_seen() {
    let mut wire = BytesMut::new();
    push_field(&mut wire, 14, b"plan");
    let decoded = DeleteRequest::decode(wire.freeze()).unwrap();
    assert_eq!(decoded.serialized_expr_plan, Bytes::from_static(b"plan"));
}

#[test]
fn decoding_from_bytes_shares_the_buffer() {
    let wire = Bytes::from(insert().encode_to_vec());
    let span = wire.as_ptr_range();
    let decoded = InsertRequest::decode(wire.clone()).unwrap();
    let Some(field_data::Field::Vectors(vectors)) = &decoded.fields_data[0].field else {
        panic!("the column is a vector");
    };
    let Some(vector_field::Data::BinaryVector(bytes)) = &vectors.data else {
        panic!("the vector is binary");
    };
    assert!(span.contains(&bytes.as_ptr()));
}

#[test]
fn debug_shows_no_secret() {
    let secret = "s3cret".to_string();
    let log = SourceLog {
        kind: "nats".into(),
        password: secret.clone(),
        token: secret.clone(),
        ..SourceLog::default()
    };
    let target = TargetConnection {
        target_id: "t1".into(),
        token: secret.clone(),
        ca_pem: secret.clone(),
        client_pem: secret.clone(),
        client_key_pem: secret.clone(),
        ..TargetConnection::default()
    };
    let login = crate::etcdserverpb::AuthenticateRequest { name: "root".into(), password: secret.clone() };
    let answer = crate::etcdserverpb::AuthenticateResponse { header: None, token: secret };
    // A message that holds one derives its Debug, which has to go through the same impl.
    let reply = RegisterReply { source_log: Some(log), ..RegisterReply::default() };
    let shown = format!("{reply:?} {target:#?} {login:?} {answer:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(shown.contains("nats") && shown.contains("t1") && shown.contains("root"), "{shown}");
    assert_eq!(shown.matches("<redacted>").count(), 8, "{shown}");
}
