//! Names: which there are, and which one somebody meant.

/// Variables with our prefix that belong to others: tests, benches and tools of this repository.
const FOREIGN: [&str; 10] = [
    "AURAX_BENCH_",
    "AURAX_CONFIG",
    "AURAX_CONFORMANCE_DIR",
    "AURAX_LOG",
    "AURAX_PRICING_DIR",
    "AURAX_REQUIRE_",
    "AURAX_SEED",
    "AURAX_SOAK",
    "AURAX_TEST_",
    "AURAX_TOKEN_FUZZ",
];
const TOOLS: &str = "AURAX_TOOLS";

/// Whether a variable is none of the configuration's business.
pub(super) fn is_foreign(variable: &str) -> bool {
    is_of_a_service(variable)
        || variable == TOOLS
        || FOREIGN.iter().any(|known| match known.ends_with('_') {
            true => variable.starts_with(known),
            false => variable == *known,
        })
}

/// Whether Kubernetes made it for a service that is called `aurax` or begins so.
fn is_of_a_service(variable: &str) -> bool {
    variable.ends_with("_PORT")
        || variable.contains("_SERVICE_HOST")
        || variable.contains("_SERVICE_PORT")
        || (variable.contains("_PORT_") && (variable.contains("_TCP") || variable.contains("_UDP")))
}

/// `; did you mean x?`, where there is something near.
pub(super) fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known.map(|known| (distance(name, known), known)).min();
    match near {
        // A third of it may be wrong.
        Some((distance, known)) if distance <= name.chars().count().div_ceil(3).min(6) => {
            format!(": did you mean {known}?")
        }
        _ => String::new(),
    }
}

/// How many characters are to be put in, left out or replaced.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, of_a) in a.chars().take(256).enumerate() {
        let mut last = i;
        let mut left = i + 1;
        for (cell, of_b) in row.iter_mut().skip(1).zip(&b) {
            let replaced = last + usize::from(of_a != *of_b);
            last = *cell;
            left = replaced.min(last + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        let known = || ["listen", "limits.body"].into_iter();
        assert_eq!(meant("lisen", known()), ": did you mean listen?");
        assert_eq!(
            meant("limits.boddy", known()),
            ": did you mean limits.body?"
        );
        assert_eq!(meant("colour", known()), "");
    }

    #[test]
    fn variables_of_tests_and_tools_are_not_ours() {
        assert!(is_foreign("AURAX_TEST_POSTGRES") && is_foreign("AURAX_TOOLS"));
        assert!(!is_foreign("AURAX_LISTEN") && !is_foreign("AURAX_SEEDS"));
    }
}
