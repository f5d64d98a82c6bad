//! control.
pub mod http;
