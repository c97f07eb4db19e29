//! A host that is nothing but the trait: what a test needs of a shell.

use std::path::PathBuf;

use cachescope_app::Host;

pub(crate) struct TestHost {
    pub(crate) directory: PathBuf,
}

impl Host for TestHost {
    fn version(&self) -> String {
        "0.0.0-test".to_owned()
    }

    fn state_directory(&self) -> PathBuf {
        self.directory.clone()
    }

    fn companion(&self) -> Option<PathBuf> {
        None
    }

    fn uses_keychain(&self) -> bool {
        false
    }
}
