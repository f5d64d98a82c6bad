//! hubtest.
