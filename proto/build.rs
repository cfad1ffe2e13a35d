//! Compiles the `.proto` files in pure Rust (protox), so that no `protoc` is needed to build Harrier.

use std::error::Error;

use tonic_prost_build::Builder;

const INCLUDE: &str = "proto";

/// Services of others: Harrier only calls them.
const FOREIGN: &[&str] = &[
    "milvus/common.proto",
    "milvus/schema.proto",
    "milvus/msg.proto",
    "milvus/milvus.proto",
    "milvus/etcd_meta.proto",
    "etcd/kv.proto",
    "etcd/rpc.proto",
    "pulsar/api.proto",
];

/// Harrier's own: both ends are here.
const OWN: &[&str] = &["harrier/v1/worker.proto", "harrier/v1/members.proto"];

/// Messages that hold secrets. `src/redact.rs` has their `Debug`, which shows none of them.
const SECRET: &[&str] = &[
    ".harrier.v1.SourceLog",
    ".harrier.v1.TargetConnection",
    ".etcdserverpb.AuthenticateRequest",
    ".etcdserverpb.AuthenticateResponse",
    ".pulsar.proto.CommandConnect",
    ".pulsar.proto.AuthData",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={INCLUDE}");
    let foreign = protox::compile(FOREIGN, [INCLUDE])?;
    builder().build_server(false).compile_fds(foreign)?;
    let own = protox::compile(OWN, [INCLUDE])?;
    builder().build_server(true).compile_fds(own)?;
    Ok(())
}

fn builder() -> Builder {
    tonic_prost_build::configure()
        .build_client(true)
        // Milvus has an rpc named Connect; tonic's own `connect()` would collide with it.
        .build_transport(false)
        // Vectors and log messages are big: `Bytes` shares the received buffer instead of copying it.
        .bytes(".")
        .skip_debug(SECRET)
        .emit_rerun_if_changed(false)
}
