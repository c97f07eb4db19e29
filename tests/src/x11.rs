//! A window's cross, clicked without a window manager, and the pointer.

use anyhow::Result;
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConnectionExt as _, EventMask, MapState, Window,
};
use x11rb::rust_connection::RustConnection;

x11rb::atom_manager! {
    /// Names of the protocol between windows and those who manage them (ICCCM, EWMH).
    Atoms: AtomsCookie {
        _NET_WM_PID,
        WM_PROTOCOLS,
        WM_DELETE_WINDOW,
    }
}

/// Asks the visible windows of a process to close, as a click on their cross does, and says whether there was one.
///
/// # Errors
/// When there is no X display.
pub fn ask_to_close(process: u32) -> Result<bool> {
    let (connection, screen) = x11rb::connect(None)?;
    let atoms = Atoms::new(&connection)?.reply()?;
    let root = connection.setup().roots[screen].root;
    let mut found = false;
    for window in connection.query_tree(root)?.reply()?.children {
        // A window may be gone by the time it is asked about.
        if belongs(&connection, &atoms, window, process).unwrap_or(false) {
            let wish = [atoms.WM_DELETE_WINDOW, x11rb::CURRENT_TIME, 0, 0, 0];
            let message = ClientMessageEvent::new(32, window, atoms.WM_PROTOCOLS, wish);
            connection.send_event(false, window, EventMask::NO_EVENT, message)?.check()?;
            found = true;
        }
    }
    Ok(found)
}

/// Moves the display's own pointer into its corner. A driver has a pointer of its own, and a window that is made larger
/// comes to lie under this one.
///
/// # Errors
/// When there is no X display.
pub fn park_pointer() -> Result<()> {
    let (connection, screen) = x11rb::connect(None)?;
    let root = connection.setup().roots[screen].root;
    connection.warp_pointer(x11rb::NONE, root, 0, 0, 0, 0, 0, 0)?.check()?;
    Ok(())
}

/// Whether a window is one of the process that can be seen and be asked to close.
fn belongs(connection: &RustConnection, atoms: &Atoms, window: Window, process: u32) -> Result<bool> {
    let all = |property, kind| connection.get_property(false, window, property, kind, 0, 32);
    let owner = all(atoms._NET_WM_PID, AtomEnum::CARDINAL)?.reply()?;
    let takes = all(atoms.WM_PROTOCOLS, AtomEnum::ATOM)?.reply()?;
    let shown = connection.get_window_attributes(window)?.reply()?.map_state == MapState::VIEWABLE;
    let is_asked =
        takes.value32().is_some_and(|mut atoms_of_it| atoms_of_it.any(|it| it == atoms.WM_DELETE_WINDOW));
    Ok(shown && is_asked && owner.value32().and_then(|mut ids| ids.next()) == Some(process))
}
