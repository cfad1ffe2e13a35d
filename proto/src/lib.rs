//! Wire types, generated from the `.proto` files of this crate: the parts of Milvus, etcd and
//! Pulsar that Harrier speaks, and the protocol between Harrier's coordinator and its workers.
//!
//! This crate owns field numbers and types, and keeps secrets out of `Debug`. It must not hold any
//! behaviour: clients, retries and conversions belong to the crates above.
//!
//! What to know when using the types:
//! - Every `bytes` field is a [`bytes::Bytes`]; decoding from a `Bytes` shares its buffer.
//! - Enum fields are `i32`, and a value unknown here is kept: compare with `MsgType::Insert as i32`,
//!   or use `try_from`.
//! - Unknown **fields** are dropped by decoding. Bytes that must reach the target whole are not to be
//!   decoded and encoded again.
//! - Clients are made with `new(channel)`; there is no `connect()`.

mod redact;

#[cfg(test)]
mod tests;

/// The generated code refers from package to package by relative path, so the modules are nested
/// exactly like the packages.
#[allow(
    missing_docs,
    clippy::all,
    clippy::expect_used,
    clippy::unwrap_used,
    rustdoc::all,
    reason = "generated code; what the fields mean is said in the .proto files"
)]
mod generated {
    pub mod milvus {
        pub mod proto {
            pub mod common {
                tonic::include_proto!("milvus.proto.common");
            }
            pub mod schema {
                tonic::include_proto!("milvus.proto.schema");
            }
            pub mod msg {
                tonic::include_proto!("milvus.proto.msg");
            }
            pub mod milvus {
                tonic::include_proto!("milvus.proto.milvus");
            }
            pub mod etcd {
                tonic::include_proto!("milvus.proto.etcd");
            }
        }
    }
    pub mod pulsar {
        tonic::include_proto!("pulsar.proto");
    }
    pub mod mvccpb {
        tonic::include_proto!("mvccpb");
    }
    pub mod etcdserverpb {
        tonic::include_proto!("etcdserverpb");
    }
    pub mod harrier {
        pub mod v1 {
            tonic::include_proto!("harrier.v1");
        }
    }
}

pub use generated::milvus::proto::{common, etcd as etcd_meta, milvus, msg, schema};
pub use generated::{etcdserverpb, harrier, mvccpb, pulsar};
