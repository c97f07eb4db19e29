//! Sessions, use cases and the wire contract, generic over the host.
pub mod wire;
