//! How errors of the parts become errors at the wire.

use cachescope_sources::error::SourceError;
use cachescope_store::StoreError;

use crate::filter::FilterError;
use crate::wire::{WireError, WireErrorCode};

impl From<StoreError> for WireError {
    fn from(error: StoreError) -> Self {
        Self::new(WireErrorCode::Storage, error.to_string())
    }
}

impl From<SourceError> for WireError {
    fn from(error: SourceError) -> Self {
        let code =
            if error.code() == "bad_url" { WireErrorCode::BadInput } else { WireErrorCode::Unreachable };
        Self::new(code, error.to_string()).with_remedy(error.remedy())
    }
}

impl From<FilterError> for WireError {
    fn from(error: FilterError) -> Self {
        Self::new(WireErrorCode::BadInput, error.to_string())
    }
}
