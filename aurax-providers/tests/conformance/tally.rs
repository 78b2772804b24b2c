//! Counts what passed, lists what did not, and prints both the same way for every suite.

use std::collections::BTreeMap;
use std::env;
use std::fmt::{Debug, Display};
use std::path::PathBuf;
use std::process::ExitCode;

/// Failures of one kind that are listed; the rest are counted.
const LISTED: usize = 10;

/// Options of libtest that take a value of their own.
const WITH_VALUE: [&str; 6] = [
    "--color",
    "--format",
    "--logfile",
    "--skip",
    "--test-threads",
    "-Z",
];

/// One difference between what a case says and what was read.
pub(crate) struct Finding {
    field: String,
    detail: String,
}

impl Finding {
    pub(crate) fn new(field: impl Into<String>, detail: impl Display) -> Self {
        Self {
            field: field.into(),
            detail: detail.to_string(),
        }
    }
}

/// What was found in one case.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) differences: Vec<Finding>,
    /// A remark worth printing though nothing is wrong.
    pub(crate) note: Option<String>,
}

impl Findings {
    /// Notes a difference when `expected` and `got` are not equal.
    pub(crate) fn equal<T: PartialEq<U> + Debug, U: Debug>(
        &mut self,
        field: &str,
        expected: &T,
        got: &U,
    ) {
        if expected != got {
            self.differ(field, expected, got);
        }
    }

    /// Notes a difference.
    pub(crate) fn differ(&mut self, field: &str, expected: &dyn Debug, got: &dyn Debug) {
        let detail = format!("expected {}, got {}", brief(expected), brief(got));
        self.differences.push(Finding::new(field, detail));
    }
}

fn brief(value: &dyn Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// How a case came out.
pub(crate) enum Verdict {
    /// As it should, with a remark worth printing where there is one.
    Passed(Option<String>),
    /// With differences.
    Failed(Vec<Finding>),
    /// Not run, for a reason.
    Skipped(String),
}

impl Verdict {
    /// Passed, unless there are differences.
    pub(crate) fn new(findings: Findings) -> Self {
        if findings.differences.is_empty() {
            Self::Passed(findings.note)
        } else {
            Self::Failed(findings.differences)
        }
    }

    /// Says of every difference which api it was found in.
    pub(crate) fn under(mut self, api: &str) -> Self {
        if let Self::Failed(findings) = &mut self {
            for finding in findings {
                finding.field = format!("{api} {}", finding.field);
            }
        }
        self
    }
}

#[derive(Default, Clone, Copy)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// The verdicts of a suite.
#[derive(Default)]
pub(crate) struct Tally {
    total: Counts,
    groups: BTreeMap<String, Counts>,
    skipped: BTreeMap<String, usize>,
    failures: BTreeMap<String, Vec<String>>,
    notes: Vec<String>,
}

impl Tally {
    /// A suite that has nothing to run, because `reason`.
    pub(crate) fn skipped(reason: &str) -> Self {
        let mut tally = Self::default();
        tally.add("-", "-", Verdict::Skipped(reason.to_owned()));
        tally
    }

    /// A suite that cannot run.
    pub(crate) fn failed(error: &dyn Display) -> Self {
        let mut tally = Self::default();
        let finding = Finding::new("cases cannot be read", error);
        tally.add("-", "-", Verdict::Failed(vec![finding]));
        tally
    }

    /// Counts one case of `group`.
    pub(crate) fn add(&mut self, group: &str, id: &str, verdict: Verdict) {
        let counts = self.groups.entry(group.to_owned()).or_default();
        match verdict {
            Verdict::Passed(note) => {
                counts.passed += 1;
                self.total.passed += 1;
                self.notes.extend(note.map(|note| format!("{id}: {note}")));
            }
            Verdict::Failed(findings) => {
                counts.failed += 1;
                self.total.failed += 1;
                for finding in findings {
                    self.failures
                        .entry(finding.field)
                        .or_default()
                        .push(format!("{id}: {}", finding.detail));
                }
            }
            Verdict::Skipped(reason) => {
                counts.skipped += 1;
                self.total.skipped += 1;
                *self.skipped.entry(reason).or_default() += 1;
            }
        }
    }

    fn print(&self) {
        for (field, cases) in &self.failures {
            println!("FAILED {field}: {}", cases.len());
            for case in cases.iter().take(LISTED) {
                println!("    {case}");
            }
        }
        for note in &self.notes {
            println!("note: {note}");
        }
        for (reason, count) in &self.skipped {
            println!("skipped {count}: {reason}");
        }
        for (group, counts) in &self.groups {
            println!("{group:12} {counts}");
        }
        println!("{}", self.total);
    }
}

/// The folder a variable names.
#[expect(
    clippy::disallowed_methods,
    reason = "a test takes its folder from the environment: it has no configuration"
)]
pub(crate) fn folder(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from)
}

/// Runs a suite as the one test of a target without a harness.
///
/// It answers `--list` and filters as libtest does, so that `cargo test` and nextest can ask for
/// it by name; unlike libtest it does not hide the output of a suite that passes.
pub(crate) fn run(name: &str, suite: fn() -> Tally) -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    if has("--list") {
        if !has("--ignored") {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    if has("--ignored") || !is_selected(name, &args) {
        return ExitCode::SUCCESS;
    }
    let tally = suite();
    tally.print();
    if tally.total.failed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn is_selected(name: &str, args: &[String]) -> bool {
    let exact = args.iter().any(|arg| arg == "--exact");
    let mut is_value = false;
    let mut filters = args.iter().filter(|arg| {
        let skip = is_value || arg.starts_with('-');
        is_value = WITH_VALUE.contains(&arg.as_str());
        !skip
    });
    let Some(first) = filters.next() else {
        return true;
    };
    std::iter::once(first).chain(filters).any(|filter| {
        if exact {
            filter == name
        } else {
            name.contains(filter.as_str())
        }
    })
}
