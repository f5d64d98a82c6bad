//! The `weir` program: everything is in the library.

/// What one thread allocates another one frees: events are made by the workers and forgotten by
/// the owner of the buckets. The system's allocator has them wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    weir::cli::main()
}
