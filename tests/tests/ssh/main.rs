//! Through a real `sshd`, with the real `ssh`: who is let in, which host is trusted, where ways lead, and what becomes of
//! a tunnel that is cut.

mod acting;
mod ending;
mod hosts;
mod http;
mod letting_in;
mod secrets;
mod support;
mod watching;
mod ways;
