//! What each scenario must come to for a client.

use aurax::providers::hostile::{Dialect, Scenario};

/// What a call must come to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expect {
    /// The words every plain answer says.
    Words,
    /// This many characters.
    Length(usize),
    /// Two tool calls.
    Calls,
    /// An error before anything was said: one of these codes, with its status.
    Fails(&'static [(u16, &'static str)]),
    /// An error of one of these codes after a part of the words.
    Breaks(&'static [&'static str]),
}

const MB: usize = 1_000_000;
const FAILED: (u16, &str) = (502, "provider_error");
const LATE: (u16, &str) = (504, "provider_timeout");
const FULL: (u16, &str) = (503, "provider_overloaded");

/// What `scenario` must come to over `dialect`, whole or streamed.
pub(crate) fn expect(scenario: Scenario, dialect: Dialect, streams: bool) -> Expect {
    use Expect::{Breaks, Calls, Fails, Length, Words};
    match (scenario, streams) {
        (
            Scenario::Plain
            | Scenario::EveryByte
            | Scenario::Crlf
            | Scenario::Cr
            | Scenario::Comments
            | Scenario::NoSpace
            | Scenario::MultiLine
            | Scenario::NoFinalBlank
            | Scenario::TwoTerminals
            | Scenario::ContentType
            | Scenario::NoUsage
            | Scenario::NegativeUsage
            | Scenario::AbsurdUsage,
            _,
        )
        | (Scenario::NoTerminal | Scenario::ErrorLater, false) => Words,
        (Scenario::ToolCalls | Scenario::NoIds | Scenario::BadArguments, _) => Calls,
        (Scenario::Line10Mb, _) => Length(10 * MB),
        (Scenario::Line20Mb, false) => Length(20 * MB),
        // The frame after it is a courtesy: the finish has been said.
        (Scenario::NoTerminal, true) if dialect == Dialect::Chat => Words,
        (Scenario::ErrorFirst, _) => Fails(&[FULL, FAILED]),
        (Scenario::ErrorLater, true) => Breaks(&["provider_overloaded", "provider_error"]),
        (
            Scenario::NoTerminal
            | Scenario::Truncated
            | Scenario::Cut
            | Scenario::ResetMiddle
            | Scenario::Flood,
            true,
        ) => Breaks(&["provider_error"]),
        (Scenario::SilentMiddle, true) => Breaks(&["provider_timeout"]),
        (
            Scenario::SilentHead
            | Scenario::SilentStart
            | Scenario::SilentMiddle
            | Scenario::SlowDrip
            | Scenario::PingsForever,
            _,
        ) => Fails(&[LATE]),
        (Scenario::ErrorNested, _) => Fails(&[(400, "invalid_request")]),
        (Scenario::ErrorText, _) => Fails(&[FULL]),
        (Scenario::ErrorFlat, _) => Fails(&[(429, "rate_limited")]),
        // The operator's key was refused, which is none of the caller's business.
        (Scenario::ErrorDetail, _) => Fails(&[FAILED]),
        (Scenario::ErrorList, _) => Fails(&[(404, "model_not_found"), (400, "invalid_request")]),
        // The operator's base URL leads elsewhere: it is for them to put right.
        (Scenario::Redirect, _) => Fails(&[(424, "provider_key_missing"), FAILED]),
        (
            Scenario::Line20Mb
            | Scenario::Line40Mb
            | Scenario::Flood
            | Scenario::Truncated
            | Scenario::Cut
            | Scenario::Empty
            | Scenario::Garbage
            | Scenario::HtmlError
            | Scenario::ErrorEndless
            | Scenario::GzipBomb
            | Scenario::ManyHeaders
            | Scenario::ResetHead
            | Scenario::ResetStart
            | Scenario::ResetMiddle,
            _,
        ) => Fails(&[FAILED]),
        (other, _) => panic!("no expectation for {other:?}"),
    }
}
