//! Adds a provider of the program's own; every layer and price works for it too.

use aurax::{
    Batch, Call, Capability, Ctx, Delivery, Delta, End, Engine, Error, ErrorKind, Event, Finish,
    FinishReason, Head, Op, Phase, Provider, ProviderInfo, Reply, Result, async_trait,
};

/// Says everything backwards.
#[derive(Debug)]
struct Mirror(ProviderInfo);

#[async_trait]
impl Provider for Mirror {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }

    fn capability(&self) -> Capability {
        let mut capability = Capability::default();
        capability.chat = true;
        capability
    }

    async fn call(&self, _: &Ctx, call: &Call) -> Result<Reply> {
        let Op::Chat(request) = &call.op else {
            return Err(
                Error::new(ErrorKind::Unsupported, "a mirror only chats").with_phase(Phase::Encode)
            );
        };
        let said = request.messages.last().map(|message| message.text());
        let text = said.unwrap_or_default().chars().rev().collect();
        let finish = Finish::new(FinishReason::Stop, None);
        let events = vec![
            Event::Delta {
                choice: 0,
                part: 0,
                delta: Delta::Text(text),
            },
            Event::End(Box::new(End::new(vec![finish], None))),
        ];
        let head = Head::new(
            "mirror",
            self.0.name.clone(),
            call.model.clone(),
            Delivery::Whole,
        );
        Ok(Reply::new(
            head,
            futures::stream::iter([Ok(Batch::new(events))]),
        ))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mirror = Mirror(ProviderInfo::new("mirror", "mirror"));
    let engine = Engine::builder().provider(mirror).build()?;
    println!(
        "{}",
        engine.chat("mirror/any", "!sdrawkcab ma I").await?.text()
    );
    Ok(())
}
