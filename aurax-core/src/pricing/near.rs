//! Names that resemble a name, for errors.

/// The most names an error lists.
const MOST: usize = 5;

/// Below this similarity (0 to 1) a name does not help.
const LEAST_SIMILARITY: f64 = 0.8;

/// Longer names are not compared: the time it takes grows with the square of the length.
const LONGEST: usize = 80;

/// The `names` that resemble `name`, the most similar first.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    if name.len() > LONGEST {
        return Vec::new();
    }
    let name = name.trim().to_lowercase();
    let mut near: Vec<(f64, &str)> = names
        .map(|other| (strsim::jaro_winkler(&name, other), other))
        .filter(|(similarity, _)| *similarity >= LEAST_SIMILARITY)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    near.dedup_by(|a, b| a.1 == b.1);
    near.truncate(MOST);
    near.into_iter().map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_five_names_are_listed_the_most_similar_first_and_each_once() {
        let names = [
            "model-17", "model-1", "model-12", "model-1", "model-13", "model-14", "model-15",
            "other",
        ];
        let near = nearest("Model-1", names.into_iter());
        assert_eq!(
            (near.len(), near.first().map(String::as_str)),
            (5, Some("model-1"))
        );
        assert_eq!(near.iter().filter(|name| *name == "model-1").count(), 1);
        assert!(nearest(&"model-1".repeat(100), names.into_iter()).is_empty());
    }
}
