//! The built-in book keeps the rules of its format.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use aurax_core::{Bucket, PriceBook};
use serde_json::Value;

/// Days a calendar has to reach beyond the day the book was made.
const CALENDAR_DAYS: i64 = 45;

fn file(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("prices")
        .join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Every model of the book, under `provider/id`.
fn models() -> Vec<(String, Value)> {
    PriceBook::builtin()
        .providers()
        .flat_map(|provider| {
            let file = file(&format!("{provider}.json"));
            let models = file["providers"][provider]["models"]
                .as_array()
                .unwrap()
                .clone();
            let named = |model: Value| (format!("{provider}/{}", text(&model["id"])), model);
            models.into_iter().map(named).collect::<Vec<_>>()
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Prices and variants alike.
fn entries(model: &Value) -> impl Iterator<Item = &Value> {
    list(&model["prices"])
        .iter()
        .chain(list(&model["variants"]))
}

#[test]
fn each_provider_has_one_file_of_its_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prices");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let files: BTreeSet<_> = files.map(|name| name.into_string().unwrap()).collect();
    let providers = PriceBook::builtin();
    let expected = providers
        .providers()
        .map(|provider| format!("{provider}.json"));
    assert_eq!(files, expected.chain(["_units.json".to_owned()]).collect());
}

#[test]
fn every_rate_is_a_decimal_of_at_least_zero() {
    let mut count = 0;
    for (name, model) in models() {
        let tiers = entries(&model).flat_map(|entry| list(&entry["above"]));
        for rates in entries(&model).chain(tiers) {
            for (unit, rate) in rates["usd"].as_object().unwrap() {
                let rate: rust_decimal::Decimal = text(rate).parse().unwrap();
                assert!(rate >= 0.into() && rate.scale() <= 18, "{name}: {unit}");
                count += 1;
            }
        }
    }
    assert!(count > 4000, "{count} rates");
}

#[test]
fn later_prices_stand_before_earlier_ones() {
    for (name, model) in models() {
        // What else is asked for, and the earliest beginning so far.
        let mut earliest: BTreeMap<String, String> = BTreeMap::new();
        for entry in entries(&model) {
            let conditions = ["when", "utc", "weekdays", "not_holiday"].map(|key| &entry[key]);
            let from = entry["from"].as_str().unwrap_or_default().to_owned();
            let before = earliest.insert(format!("{conditions:?}"), from.clone());
            assert!(before.is_none_or(|before| from < before), "{name}: {entry}");
        }
    }
}

#[test]
fn no_two_models_share_a_name() {
    let mut owners: BTreeMap<(String, String), String> = BTreeMap::new();
    for (name, model) in models() {
        let provider = name.split('/').next().unwrap().to_owned();
        let is_label = model["id_is_label"] == true;
        let own = (!is_label).then(|| text(&model["id"]).to_lowercase());
        let listed = list(&model["match"]).iter().map(text);
        let names: BTreeSet<_> = listed.chain(own).collect();
        for literal in names.into_iter().filter(|name| !name.contains(['*', '#'])) {
            let other = owners.insert((provider.clone(), literal.clone()), name.clone());
            assert_eq!(other, None, "{name} is also called {literal}");
        }
    }
}

#[test]
fn the_whole_of_a_priced_part_is_priced() {
    let units = &file("_units.json")["units"];
    let dims = |unit: &str| -> BTreeSet<String> {
        serde_json::from_value(units[unit]["dims"].clone()).unwrap()
    };
    for (name, model) in models() {
        for price in list(&model["prices"]) {
            let rates: Vec<_> = price["usd"].as_object().unwrap().keys().collect();
            for part in &rates {
                let wholes = ["input", "output", "page", "audio"]
                    .into_iter()
                    .filter(|whole| dims(whole).is_subset(&dims(part)));
                for whole in wholes {
                    assert!(
                        rates.iter().any(|rate| *rate == whole),
                        "{name}: {part} without {whole}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_unit_of_the_book_is_a_bucket() {
    let file = file("_units.json");
    let units: BTreeSet<_> = file["units"].as_object().unwrap().keys().cloned().collect();
    let mut buckets: BTreeSet<_> = Bucket::ALL.iter().map(|b| b.as_str().to_owned()).collect();
    // No price list has a rate for cached video.
    buckets.remove(Bucket::CacheReadVideo.as_str());
    assert_eq!(units, buckets);
}

#[test]
fn a_model_without_prices_says_whether_it_is_free() {
    for (name, model) in models() {
        let says = [
            !list(&model["prices"]).is_empty(),
            model["free"] == true,
            model["unpriced"] == true,
        ];
        assert_eq!(says.into_iter().filter(|said| *said).count(), 1, "{name}");
    }
}

/// A calendar that ends soon is a warning here: the days of the next year have to come from the
/// place itself, and a build that has them must not fail for those that do not. What refuses to
/// go on is the refresh of the book (`tools/prices/refresh`).
#[test]
fn calendars_reach_beyond_the_book() {
    let file = file("_units.json");
    let day = |value: &Value| {
        let midnight = format!("{}T00:00:00Z", text(value));
        crate::support::at(&midnight).date()
    };
    for (name, calendar) in file["calendars"].as_object().unwrap() {
        let last = day(&calendar["covers_through"]);
        let days = (last - day(&file["date"])).whole_days();
        if days < CALENDAR_DAYS {
            println!(
                "WARNING: the holidays of `{name}` end on {last}, {days} days after the book was \
                 made: add the next year to tools/prices/corrections.json"
            );
        }
        let within = |date: &Value| day(date) <= last;
        assert!(list(&calendar["dates"]).iter().all(within), "{name}");
    }
}
