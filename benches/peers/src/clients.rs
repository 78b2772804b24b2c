//! The same call through each client: build a request, read the answer's words.

use std::sync::Arc;

use aurax::providers::transport::{ReqwestTransport, Transport};
use aurax::providers::{Options, presets, provider};
use aurax::{Call, Ctx, Engine, Event, ModelId, Provider as _, Request};
use futures::StreamExt as _;
use futures::future::BoxFuture;

pub const QUESTION: &str = "What is the capital of France?";
const MODEL: &str = "gpt-4o-mini";
const KEY: &str = "sk-bench";

/// A client: makes one call and returns how many bytes of words came back.
pub trait Client: Send + Sync {
    fn call(&self, streams: bool) -> BoxFuture<'_, usize>;
}

/// The engine with everything it does by default.
pub struct Aurax(Engine);

impl Aurax {
    pub fn new(origin: &str) -> Self {
        let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new());
        let options = Options::new()
            .with_api_key(KEY)
            .with_base_url(format!("{origin}/v1"));
        let open_ai = provider(presets::find("openai").unwrap(), options, transport).unwrap();
        Self(Engine::builder().provider(open_ai).build().unwrap())
    }
}

impl Client for Aurax {
    fn call(&self, streams: bool) -> BoxFuture<'_, usize> {
        Box::pin(async move {
            let model = ModelId::parse("openai/gpt-4o-mini").unwrap();
            let call = Call::chat(model, Request::from(QUESTION).with_stream(streams));
            let mut reply = self.0.call(&Ctx::local(), &call).await.unwrap();
            let mut read = 0;
            while let Some(batch) = reply.next().await {
                for event in batch.unwrap().events {
                    if let Event::Delta { delta, .. } = event {
                        read += delta.generated_text().map_or(0, str::len);
                    }
                }
            }
            read
        })
    }
}

pub struct AsyncOpenAi(async_openai::Client<async_openai::config::OpenAIConfig>);

impl AsyncOpenAi {
    pub fn new(origin: &str) -> Self {
        let config = async_openai::config::OpenAIConfig::new()
            .with_api_key(KEY)
            .with_api_base(format!("{origin}/v1"));
        Self(async_openai::Client::with_config(config))
    }
}

impl Client for AsyncOpenAi {
    fn call(&self, streams: bool) -> BoxFuture<'_, usize> {
        use async_openai::types::chat::{
            ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs,
        };
        Box::pin(async move {
            let message = ChatCompletionRequestUserMessageArgs::default()
                .content(QUESTION)
                .build()
                .unwrap();
            let request = CreateChatCompletionRequestArgs::default()
                .model(MODEL)
                .messages([message.into()])
                .build()
                .unwrap();
            if !streams {
                let answer = self.0.chat().create(request).await.unwrap();
                return answer.choices[0].message.content.as_deref().map_or(0, str::len);
            }
            let mut stream = self.0.chat().create_stream(request).await.unwrap();
            let mut read = 0;
            while let Some(chunk) = stream.next().await {
                for choice in chunk.unwrap().choices {
                    read += choice.delta.content.as_deref().map_or(0, str::len);
                }
            }
            read
        })
    }
}

pub struct GenAi(genai::Client);

impl GenAi {
    pub fn new(origin: &str) -> Self {
        use genai::resolver::{AuthData, Endpoint, ServiceTargetResolver};
        let url = format!("{origin}/v1/");
        let resolver = ServiceTargetResolver::from_resolver_fn(
            move |target: genai::ServiceTarget| -> Result<genai::ServiceTarget, genai::resolver::Error> {
                Ok(genai::ServiceTarget {
                    endpoint: Endpoint::from_owned(url.clone()),
                    auth: AuthData::from_single(KEY),
                    model: genai::ModelIden::new(
                        genai::adapter::AdapterKind::OpenAI,
                        target.model.model_name,
                    ),
                })
            },
        );
        let client = genai::Client::builder()
            .with_service_target_resolver(resolver)
            .build()
            .unwrap();
        Self(client)
    }
}

impl Client for GenAi {
    fn call(&self, streams: bool) -> BoxFuture<'_, usize> {
        use genai::chat::{ChatMessage, ChatRequest, ChatStreamEvent};
        Box::pin(async move {
            let request = ChatRequest::new(vec![ChatMessage::user(QUESTION)]);
            if !streams {
                let answer = self.0.exec_chat(MODEL, request, None).await.unwrap();
                return answer.first_text().map_or(0, str::len);
            }
            let mut answer = self.0.exec_chat_stream(MODEL, request, None).await.unwrap();
            let mut read = 0;
            while let Some(event) = answer.stream.next().await {
                if let ChatStreamEvent::Chunk(chunk) = event.unwrap() {
                    read += chunk.content.len();
                }
            }
            read
        })
    }
}
