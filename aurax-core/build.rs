//! Lists the files of the price book, so that a provider's prices are data and never code.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells build scripts where to write through the environment"
)]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=prices");
    let mut names = fs::read_dir("prices")?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>, std::io::Error>>()?;
    names.retain(|name| name.ends_with(".json"));
    names.sort_unstable();
    let mut table = "/// The texts of the built-in price book, in the order of their names.\n\
                     const TEXTS: &[&str] = &[\n"
        .to_owned();
    for name in names {
        writeln!(
            table,
            "    include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/prices/{name}\")),"
        )?;
    }
    table.push_str("];\n");
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("prices.rs"), table)?;
    Ok(())
}
