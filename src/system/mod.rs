//! What only the operating system can tell: the clock, signals, privileges, systemd.

pub mod activation;
pub mod clock;
pub mod descriptors;
pub mod disk;
pub mod memory;
pub mod names;
pub mod namespace;
pub mod notify;
pub mod peer;
pub mod places;
pub mod privileges;
pub mod terminal;
pub mod timekeeping;
