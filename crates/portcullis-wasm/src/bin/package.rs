//! Writes the JavaScript around the WebAssembly: `package <in.wasm> <folder>`.

use std::error::Error;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(wasm), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("package <in.wasm> <folder>".into());
    };
    // Of the forms that wasm-bindgen writes, the one that is told where its WebAssembly is: Node reads it from a file,
    // workerd is given it as a module. Types are written by hand, in npm/index.d.ts.
    Bindgen::new()
        .input_path(wasm)
        .web(true)?
        .omit_default_module_path(true)
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)?;
    Ok(())
}
