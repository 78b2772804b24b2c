#!/usr/bin/env python3
"""Refuses a refresh that changes a price of the past, and tells which names now lead elsewhere.

    history.py FOLDER_BEFORE FOLDER_AFTER

A charge says which book it was made from, and has to come out the same from every later one: so
what the book said about any instant before it was made stays as it was. A new price gets a `from`
and stands before the old one. Where the past itself was wrong, `rewrites` in `corrections.json`
names the model and says why.
"""

import json
import sys
from pathlib import Path

from refcalc import Unknown, instant, load, resolve

BEGINNING = "0001-01-01"


def past(book, row, before):
    """What a row says about each stretch of time until `before`."""
    entries = row.get("prices", []) + row.get("variants", [])
    edges = {instant(BEGINNING), instant(before)}
    for entry in entries:
        edges |= {instant(entry[edge]) for edge in ("from", "until") if edge in entry}
    return sorted(edge for edge in edges if edge < instant(before))


def said_at(row, calendars, at):
    """Everything that decides the price at an instant, but the hour and the day."""

    def dated(entries):
        rows = []
        for entry in entries:
            begun = "from" not in entry or instant(entry["from"]) <= at
            ended = "until" in entry and at >= instant(entry["until"])
            if begun and not ended:
                rest = {key: entry[key] for key in entry if key not in ("from", "until")}
                if not_holiday := rest.get("not_holiday"):
                    calendar = calendars[not_holiday]
                    rest["not_holiday"] = [calendar["utc_offset"], not_holiday]
                rows.append(rest)
        return rows

    prices = dated(row.get("prices", []))
    # The first entry without a condition hides those behind it.
    for i, entry in enumerate(prices):
        if not set(entry) & {"utc", "weekdays", "not_holiday"}:
            prices = prices[: i + 1]
            break
    # Of variants of one kind, the first one hides the later ones, rate by rate.
    variants = {}
    for entry in dated(row.get("variants", [])):
        if set(entry) & {"utc", "weekdays", "not_holiday"}:
            variants.setdefault(json.dumps(entry, sort_keys=True), entry)
            continue
        seen = variants.setdefault(json.dumps(entry["when"], sort_keys=True), {})
        for unit, rate in entry["usd"].items():
            tiers = [(t["tokens"], t["usd"].get(unit)) for t in entry.get("above", [])]
            seen.setdefault(unit, (rate, tiers))
    rest = {key: row.get(key) for key in ("free", "unpriced", "multiply", "minimum")}
    return prices, variants, rest


def changes(old, new, rewrites):
    """A line for each model whose past is not what it was."""
    for key, provider in old["providers"].items():
        rows = {row["id"]: row for row in new["providers"].get(key, {}).get("models", [])}
        for row in provider["models"]:
            name = f"{key}/{row['id']}"
            if name in rewrites:
                continue
            after = rows.get(row["id"])
            if after is None:
                yield f"{name}: is gone, and what was charged for it cannot be recomputed"
                continue
            edges = set(past(old, row, old["date"])) | set(past(new, after, old["date"]))
            for at in sorted(edges):
                was = said_at(row, old["calendars"], at)
                now = said_at(after, new["calendars"], at)
                if was != now:
                    since = "its beginning" if at.year == 1 else f"{at:%Y-%m-%dT%H:%MZ}"
                    yield f"{name}: another price since {since}: {was} is now {now}"
                    break
    for key, calendar in old["calendars"].items():
        after = new["calendars"].get(key, {"dates": []})
        if gone := set(calendar["dates"]) - set(after["dates"]):
            yield f"calendar {key}: {sorted(gone)} are no holidays any more"


def moved_names(old, new):
    """A line for each name that leads to another model than before."""
    for key, provider in old["providers"].items():
        for row in provider["models"]:
            for name in row.get("match", []):
                if set(name) & {"*", "#"}:
                    continue
                try:
                    _, _, found, _ = resolve(new, key, name)
                    if found["id"] != row["id"]:
                        yield f"{key}: {name} was {row['id']} and is now {found['id']}"
                except Unknown:
                    yield f"{key}: {name} was {row['id']} and is not known any more"


def main():
    old, new = load(sys.argv[1]), load(sys.argv[2])
    corrections = json.loads((Path(__file__).parent / "corrections.json").read_text())
    rewrites = {f"{r['provider']}/{r['model']}" for r in corrections.get("rewrites", [])}
    for line in moved_names(old, new):
        print(f"note: {line}")
    refused = list(changes(old, new, rewrites))
    for line in refused:
        print(f"refused: {line}", file=sys.stderr)
    if refused:
        print(
            f"{len(refused)} changes of the past. Give the new price a `from` in corrections.json "
            "(`set`), or name the model in `rewrites` and say why the past was wrong.",
            file=sys.stderr,
        )
        sys.exit(1)
    print("history: no price of the past has changed")


if __name__ == "__main__":
    main()
