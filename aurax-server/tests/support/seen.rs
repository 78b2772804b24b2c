//! Notes which statuses each route answered, for `tools/test/statuses`, which knows those that the
//! document promises.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use aurax_server::State;
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};

use super::place::optional;

/// The same router, whose answers are noted in the folder of `AURAX_TEST_STATUSES`, where that is set.
pub(crate) fn noted(router: Router, state: &State) -> Router {
    let Some(folder) = optional("AURAX_TEST_STATUSES") else {
        return router;
    };
    let program = std::env::current_exe().unwrap();
    // What is made up by a program is compared with the document by that program.
    if program.to_string_lossy().contains("schemathesis") {
        return router;
    }
    let folder = Path::new(&folder);
    let document = folder.join("openapi.json");
    if !document.exists() {
        let whole = folder.join(format!("openapi-{}.json", std::process::id()));
        std::fs::write(&whole, aurax_server::openapi(state.clone()).unwrap()).unwrap();
        std::fs::rename(whole, document).unwrap();
    }
    let name = folder.join(format!("{}.txt", std::process::id()));
    let file = OpenOptions::new().create(true).append(true).open(name);
    let noted: Arc<Mutex<(File, HashSet<String>)>> =
        Arc::new(Mutex::new((file.unwrap(), HashSet::new())));
    router.layer(from_fn(move |request: Request, next: Next| {
        let noted = noted.clone();
        async move {
            let path = request.extensions().get::<MatchedPath>().cloned();
            let method = request.method().clone();
            let response = next.run(request).await;
            if let Some(path) = path {
                let line = format!(
                    "{method} {} {}\n",
                    path.as_str(),
                    response.status().as_u16()
                );
                let mut noted = noted.lock().unwrap();
                if noted.1.insert(line.clone()) {
                    noted.0.write_all(line.as_bytes()).unwrap();
                }
            }
            response
        }
    }))
}
