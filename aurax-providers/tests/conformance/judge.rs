//! What a case asks for, by what was recorded: models, an error, an answer or a stream.

use aurax_core::{Error, ErrorKind, Response, Result};
use aurax_providers::wire::Wire;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use super::case::Case;
use super::cost::Prices;
use super::decode::Exchange;
use super::frames::Terminal;
use super::streams::Recorded;
use super::tally::{Findings, Verdict};
use super::{errors, expect, served, wires};

/// Decodes a case and compares everything it expects.
pub(crate) fn judge(case: &Case, prices: &Prices) -> Verdict {
    let Some(wire) = wires::wire_for(&case.api, &case.provider) else {
        return Verdict::Skipped(format!("{} has no wire yet", case.api));
    };
    let mut judge = Judge {
        case,
        prices,
        findings: Findings::default(),
    };
    if let Err(error) = judge.examine(&*wire) {
        judge.findings.differ("error", &"an answer", &error);
    }
    Verdict::new(judge.findings).under(&case.api)
}

struct Judge<'a> {
    case: &'a Case,
    prices: &'a Prices,
    findings: Findings,
}

impl Judge<'_> {
    fn examine(&mut self, wire: &dyn Wire) -> Result<()> {
        let reply = &self.case.response;
        if self.case.is_error() {
            let error = wire.error(reply.status, &headers(self.case), reply.body.as_bytes());
            self.failed(&error);
            served::answer(self.case, &Err(error), &mut self.findings);
        } else if self.case.api.ends_with(".models") {
            let (models, _) = wire.read_models(reply.body.as_bytes())?;
            let ids = models
                .iter()
                .map(|model| model.id.as_str().into())
                .collect();
            let expected = self.expected("models").cloned().unwrap_or_default();
            self.findings.equal("models", &expected, &Value::Array(ids));
            served::models(self.case, &models, &mut self.findings);
        } else if self.case.is_stream() {
            self.stream(&Exchange::new(self.case, wire)?);
        } else {
            let heard = Exchange::new(self.case, wire)?.whole(reply.body.as_bytes());
            self.answer(&heard.response, Terminal::Complete(0));
        }
        Ok(())
    }

    fn expected(&self, field: &str) -> Option<&Value> {
        self.case.expected.as_ref()?.get(field)
    }

    fn stream(&mut self, exchange: &Exchange<'_>) {
        let recorded = Recorded::new(self.case, exchange);
        let heard = recorded.heard();
        self.answer(&heard.response, recorded.terminal);
        recorded.split(&heard, &mut self.findings);
        recorded.truncate(&mut self.findings);
    }

    /// Compares an answer, or the error it turned out to be.
    fn answer(&mut self, response: &Result<Response>, terminal: Terminal) {
        served::answer(self.case, response, &mut self.findings);
        let Some(expected) = &self.case.expected else {
            return self.unread(response);
        };
        match response {
            Ok(response) if !expected.contains_key("error") => {
                let findings = &mut self.findings;
                expect::compare(self.case, self.prices, expected, response, findings);
            }
            Err(error) if expected.contains_key("error") => self.failed(error),
            // The SDK takes what had arrived of a stream that was cut off for an answer.
            Err(error)
                if terminal == Terminal::None
                    && error.kind() == ErrorKind::Truncated
                    && expected.get("finish_reason").is_none_or(Value::is_null) => {}
            Ok(response) => self.findings.differ("answer", &"an error", response),
            Err(error) => self.findings.differ("answer", &"a response", error),
        }
    }

    fn failed(&mut self, got: &Error) {
        let nothing = Map::new();
        let expected = self.expected("error").and_then(Value::as_object).cloned();
        errors::compare(&expected.unwrap_or(nothing), got, &mut self.findings);
    }

    /// Where the SDK cannot read the body there is nothing to compare with: the answer must be
    /// complete, or fail for a reason that lies in the reply.
    fn unread(&mut self, response: &Result<Response>) {
        let got = match response {
            Ok(response) => {
                let choice = response.choices.first();
                let finish = choice.and_then(|choice| choice.finish.as_ref());
                if finish.is_none() {
                    self.findings.differ("unread body", &"a finish", response);
                }
                let reason = finish.map(|finish| finish.reason);
                let characters = response.text().chars().count();
                format!("{characters} characters and {reason:?}")
            }
            Err(error) => {
                let kinds = [ErrorKind::Decode, ErrorKind::Truncated, ErrorKind::Server];
                if !kinds.contains(&error.kind()) {
                    self.findings.differ("unread body", &kinds, error);
                }
                format!("{:?}", error.kind())
            }
        };
        let reason = self.case.expected_null_reason.as_deref();
        let reason = reason.unwrap_or("no reason given");
        self.findings.note = Some(format!("not read by the SDK ({reason}); here: {got}"));
    }
}

fn headers(case: &Case) -> HeaderMap {
    let kind = case.response.content_type.as_deref();
    let kind = kind.and_then(|kind| HeaderValue::from_str(kind).ok());
    kind.map(|kind| (CONTENT_TYPE, kind)).into_iter().collect()
}
