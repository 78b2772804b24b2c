//! What goes wrong, by name.

macro_rules! scenarios {
    ($($variant:ident = $name:literal: $doc:literal,)*) => {
        /// What goes wrong with an answer; a request asks for it with the model's name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Scenario {
            $(#[doc = $doc] $variant,)*
        }

        impl Scenario {
            /// Every scenario.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The model's name that asks for it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What goes wrong, in a few words.
            pub const fn summary(self) -> &'static str {
                match self {
                    $(Self::$variant => $doc,)*
                }
            }

            /// The scenario a model's name asks for.
            pub fn find(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

scenarios! {
    Plain = "plain": "Nothing: a short answer.",
    ToolCalls = "tool-calls": "Nothing: two tool calls whose fragments interleave.",
    EveryByte = "every-byte": "Every byte comes alone, so characters and frames are split.",
    Crlf = "crlf": "Lines end in CR LF.",
    Cr = "cr": "Lines end in CR, where the framing allows it.",
    Comments = "comments": "Comments, blank lines and pings between the frames.",
    NoSpace = "no-space": "No space after `data:`.",
    MultiLine = "multi-line": "An event's data is spread over several lines.",
    NoFinalBlank = "no-final-blank": "The last line has no end.",
    Line10Mb = "line-10mb": "One frame, or the body, of 10 MB.",
    Line20Mb = "line-20mb": "One frame, or the body, of 20 MB.",
    Line40Mb = "line-40mb": "One frame, or the body, of 40 MB.",
    Flood = "flood": "Frames of text without an end.",
    NoTerminal = "no-terminal": "The frame that ends a stream is missing.",
    TwoTerminals = "two-terminals": "The frame that ends a stream comes twice.",
    ErrorFirst = "error-first": "Status 200, and the first frame, or the body, is an error.",
    ErrorLater = "error-later": "An error after the first words of a stream.",
    Truncated = "truncated": "The body stops inside a frame, in good order.",
    Cut = "cut": "The connection closes in the middle of the body.",
    ContentType = "content-type": "The content type is `text/plain`.",
    Empty = "empty": "Status 200 and no body.",
    Garbage = "garbage": "Status 200 and bytes that are no text.",
    NoUsage = "no-usage": "Usage is missing.",
    NegativeUsage = "negative-usage": "Usage is negative.",
    AbsurdUsage = "absurd-usage": "Usage is beyond anything.",
    NoIds = "no-ids": "Tool calls have no ids.",
    BadArguments = "bad-arguments": "Tool calls' arguments are cut off.",
    HtmlError = "html-error": "Status 502 and a page of HTML.",
    ErrorNested = "error-nested": "Status 400, the error in an object.",
    ErrorText = "error-text": "Status 503, the error a bare text.",
    ErrorFlat = "error-flat": "Status 429, the error's fields at the top.",
    ErrorDetail = "error-detail": "Status 401, the error under `detail`.",
    ErrorList = "error-list": "Status 404, the error in a list.",
    ErrorEndless = "error-endless": "Status 500 and an error without an end.",
    Redirect = "redirect": "A redirect to another host.",
    GzipBomb = "gzip-bomb": "A compressed body that would unfold into a gigabyte.",
    ManyHeaders = "many-headers": "More headers than anybody reads.",
    SlowDrip = "slow-drip": "A byte now and then.",
    PingsForever = "pings-forever": "Signs of life and never a word.",
    SilentHead = "silent-head": "Nothing at all is answered.",
    SilentStart = "silent-start": "Silence after the head.",
    SilentMiddle = "silent-middle": "Silence after the first words.",
    ResetHead = "reset-head": "The connection is reset before the head.",
    ResetStart = "reset-start": "The connection is reset after the head.",
    ResetMiddle = "reset-middle": "The connection is reset after the first words.",
}
