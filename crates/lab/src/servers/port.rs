//! Ports that the system chooses.

use std::net::{Ipv4Addr, TcpListener};

use crate::error::LabError;

/// A TCP port of 127.0.0.1 that was free a moment ago. Someone may take it before it is used: whoever binds
/// it must be ready to ask again.
///
/// # Errors
/// When the system has no port left.
pub fn free_port() -> Result<u16, LabError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(LabError::io("find a free port"))?;
    Ok(listener.local_addr().map_err(LabError::io("read the free port"))?.port())
}
