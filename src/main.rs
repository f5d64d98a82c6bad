//! The `weir` program: everything is in the library.

fn main() -> std::process::ExitCode {
    weir::cli::main()
}
