//! Lets a model use tools until it answers.

use aurax::{Error, Function, Message, Request, ToolCall, ToolResult};
use serde_json::{Value, json};

/// However long the model goes on asking, the program ends.
const MAX_TURNS: usize = 8;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let engine = aurax::from_env()?;
    let model = engine.default_model()?;
    let weather = Function::new("get_weather")
        .with_description("The weather in a city")
        .with_parameters(json!({
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        }));
    let mut request = Request::from("What is the weather in Paris?").with_tools([weather]);
    for _ in 0..MAX_TURNS {
        let response = engine.chat(model, request.clone()).await?;
        let results: Vec<ToolResult> = response.tool_calls().map(run).collect();
        if results.is_empty() {
            println!("{}", response.text());
            break;
        }
        request = request
            .with_message(response.into_message())
            .with_message(Message::tool(results));
    }
    Ok(())
}

/// Runs a tool. What goes wrong is the model's to know, so it is an answer too.
fn run(call: &ToolCall) -> ToolResult {
    match call.parse::<Value>() {
        Ok(arguments) => {
            println!("→ {}({arguments})", call.name);
            ToolResult::new(call, "sunny, 21 °C")
        }
        Err(error) => ToolResult::new(call, error.to_string()).with_error(),
    }
}
