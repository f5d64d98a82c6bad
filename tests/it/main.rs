//! Integration tests: one binary, one module for each feature.
