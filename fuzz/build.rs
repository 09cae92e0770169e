//! Compiles the counters of the C codecs.

fn main() {
    println!("cargo::rerun-if-changed=src/trace_pc.c");
    cc::Build::new().file("src/trace_pc.c").cargo_metadata(false).compile("trace_pc");
    let directory = std::env::var("OUT_DIR").expect("cargo names it");
    println!("cargo::rustc-link-search=native={directory}");
    // Whole, for no Rust code calls it.
    println!("cargo::rustc-link-lib=static:+whole-archive=trace_pc");
    println!("cargo::rustc-link-arg-bins=-Wl,--wrap=__sanitizer_cov_trace_pc");
}
