//! The document of the API, and the pages that show it.

use serde_json::Value;

use crate::support::{Kind, Server};

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_whole_and_served() {
    let server = Server::start(Kind::Memory).await.unwrap();
    let document = aurax_server::openapi(server.state.clone()).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let client = server.client();
    assert_eq!(client.get("/openapi.json").await.expect(200), document);
    for route in aurax_server::routes(server.state.clone()) {
        let operation = &document["paths"][&route.path][route.method.to_lowercase()];
        assert!(operation.is_object(), "{} {}", route.method, route.path);
        let text = |name: &str| operation[name].as_str().unwrap_or_default().to_owned();
        assert!(!text("summary").is_empty() || !text("description").is_empty());
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_load_nothing_from_elsewhere() {
    let server = Server::start(Kind::Memory).await.unwrap();
    let client = server.client();
    let page = client.get("/docs/").await;
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(html.contains("swagger-ui"), "{html}");
    assert!(
        !html.contains("http://") && !html.contains("https://"),
        "{html}"
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'self';"), "{policy}");
    let script = client.get("/docs/swagger-ui-bundle.js").await;
    assert_eq!(script.status, 200);
    let start = client.get("/docs/swagger-initializer.js").await;
    let start = String::from_utf8(start.body.to_vec()).unwrap();
    assert!(start.contains("/openapi.json"), "{start}");
    server.stop().await;
}
