//! What each scenario must come to.

use aurax::ErrorKind::{self, *};
use aurax::providers::hostile::{Dialect, Scenario};

/// What a call must come to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expect {
    /// The words every plain answer says.
    Words,
    /// This many characters.
    Length(usize),
    /// Two tool calls with ids and whole arguments.
    Calls,
    /// Two tool calls whose arguments are no JSON.
    BrokenCalls,
    /// An error of one of these kinds before anything was said.
    Fails(&'static [ErrorKind]),
    /// An error of one of these kinds after a part of the words, which it keeps.
    Breaks(&'static [ErrorKind]),
}

const LOST: &[ErrorKind] = &[Network, Truncated];
const MB: usize = 1_000_000;

/// What `scenario` must come to over `dialect`, whole or streamed.
pub(crate) fn expect(scenario: Scenario, dialect: Dialect, streams: bool) -> Expect {
    use Expect::{Breaks, BrokenCalls, Calls, Fails, Length, Words};
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
        (Scenario::ManyHeaders, _) => Fails(&[Network]),
        (Scenario::ToolCalls | Scenario::NoIds, _) => Calls,
        (Scenario::BadArguments, _) => BrokenCalls,
        (Scenario::Line10Mb, _) => Length(10 * MB),
        (Scenario::Line20Mb, false) => Length(20 * MB),
        (Scenario::Line20Mb | Scenario::Line40Mb, _) => Fails(&[Decode]),
        // The frame after it is a courtesy: the finish has been said.
        (Scenario::NoTerminal, true) if dialect == Dialect::Chat => Words,
        (Scenario::NoTerminal, true) => Breaks(&[Truncated]),
        (Scenario::ErrorFirst, _) => match dialect {
            Dialect::Ollama | Dialect::Responses => Fails(&[Server, Overloaded]),
            _ => Fails(&[Overloaded]),
        },
        (Scenario::ErrorLater, true) => match dialect {
            Dialect::Ollama | Dialect::Responses => Breaks(&[Server, Overloaded]),
            _ => Breaks(&[Overloaded]),
        },
        (Scenario::Truncated, true) => Breaks(&[Truncated]),
        (Scenario::Cut | Scenario::ResetMiddle, true) => Breaks(LOST),
        (Scenario::Truncated, false) => Fails(&[Decode, Truncated]),
        (Scenario::Cut | Scenario::ResetMiddle, false) => Fails(LOST),
        (Scenario::ResetHead | Scenario::ResetStart, _) => Fails(LOST),
        (Scenario::Empty | Scenario::Garbage, _) => Fails(&[Truncated, Decode]),
        (Scenario::HtmlError, _) => Fails(&[Server]),
        (Scenario::ErrorNested, _) => Fails(&[InvalidRequest]),
        (Scenario::ErrorText, _) => Fails(&[Overloaded]),
        (Scenario::ErrorFlat, _) => Fails(&[RateLimited]),
        (Scenario::ErrorDetail, _) => Fails(&[Auth]),
        (Scenario::ErrorList, _) => Fails(&[ModelNotFound, NotFound]),
        (Scenario::ErrorEndless, _) => Fails(&[Server]),
        (Scenario::Redirect, _) => Fails(&[Config]),
        (Scenario::GzipBomb, _) => Fails(&[Decode]),
        (Scenario::Flood, true) => Breaks(&[Decode]),
        (Scenario::Flood, false) => Fails(&[Decode]),
        (Scenario::SilentMiddle, true) => Breaks(&[Timeout]),
        (Scenario::SlowDrip, true) => Fails(&[Timeout]),
        (Scenario::SlowDrip, false) => Fails(&[Timeout]),
        (Scenario::SilentHead | Scenario::SilentStart | Scenario::PingsForever, _) => {
            Fails(&[Timeout])
        }
        (Scenario::SilentMiddle, false) => Fails(&[Timeout]),
        (other, _) => panic!("no expectation for {other:?}"),
    }
}
