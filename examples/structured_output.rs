//! Gets an answer as a value of a type of the program's own.

use aurax::{Error, ErrorKind, OutputFormat, Request};
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "it is printed")]
struct City {
    name: String,
    country: String,
    population: u64,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let engine = aurax::from_env()?;
    let model = engine.default_model()?;
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "country": {"type": "string"},
            "population": {"type": "integer"},
        },
        "required": ["name", "country", "population"],
        "additionalProperties": false,
    });
    let request = Request::from("Name a city that is often overlooked.").with_output(
        OutputFormat::JsonSchema {
            name: "city".into(),
            schema: schema.into(),
            strict: Some(true),
        },
    );
    let text = engine.chat(model, request).await?.text();
    let city: City = serde_json::from_str(&text).map_err(|e| {
        Error::new(ErrorKind::Decode, "the model did not keep to the schema").with_source(e)
    })?;
    println!("{city:#?}");
    Ok(())
}
