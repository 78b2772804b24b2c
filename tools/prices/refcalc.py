#!/usr/bin/env python3
"""A second calculator over the price book, to check the first one against.

    refcalc.py FOLDER_OF_PRICES CASES.jsonl...

It shares no code and no approach with the engine: usage here is inclusive (a whole contains its
parts), names are matched by regular expressions, and a part is subtracted from its wholes.
"""

import datetime as dt
import json
import re
import sys
from dataclasses import dataclass, field
from decimal import Decimal as D
from pathlib import Path

UTC = dt.timezone.utc


class Unknown(LookupError):
    """The provider or the model is not in the book."""


class Unpriced(LookupError):
    """The model is in the book, its price is not."""


class BadUsage(ValueError):
    """A part is larger than its whole."""


VERSION = (
    r"(?:latest|default|preview|exp|experimental|beta|stable|v\d+|20\d{2}-[01]\d-[0-3]\d|20\d{6}"
    r"|[01]\d-20\d{2}|[01]\d-[0-3]\d|\d{4}|\d{3})"
)
MORE = rf"(?:[-@:.]{VERSION}|:\d+k?|\[\d+[mk]\])*\Z"
DECORATION = re.compile(MORE)
DECORATION_AFTER_SEPARATOR = re.compile(rf"{VERSION}{MORE}|\Z")
COMPACT_DATE = re.compile(r"(-)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


def load(folder):
    book = {"providers": {}}
    for path in sorted(Path(folder).glob("*.json")):
        part = json.loads(path.read_text())
        book["providers"] |= part.pop("providers", {})
        if path.name == "_units.json":
            book |= part
    step = lambda routes: "|".join(re.escape(r).replace(r"\*", r"[\w-]*") for r in routes)
    book["routes"] = re.compile("".join(f"(?:{step(r)})?" for r in book["routing"]) + r"\Z")
    return book


def matches(book, pattern, name):
    pieces = re.findall(r"\*\*|\*|#|[^*#]+", pattern)
    regex = "".join(
        "(.*)"
        if piece == "**"
        else "(?P<route>.*)"
        if piece == "*" and i == 0
        else "(?P<version>.*)"
        if piece == "*"
        else r"\d"
        if piece == "#"
        else re.escape(piece)
        for i, piece in enumerate(pieces)
    )
    found = re.fullmatch(regex, name, re.S)
    if not found:
        return False
    groups = found.groupdict()
    decoration = DECORATION_AFTER_SEPARATOR if pattern[-2:-1] in "-@:." else DECORATION
    return bool(
        book["routes"].match(groups.get("route") or "")
        and decoration.match(groups.get("version") or "")
    )


def find_provider(book, name):
    name = name.strip().lower()
    for key, provider in book["providers"].items():
        if key == name or name in provider.get("aliases", []):
            return key
    raise Unknown(f"provider {name!r}")


def find_model(book, provider, name):
    best = None
    for model in book["providers"][provider]["models"]:
        listed = model.get("match", [])
        literals = [text for text in listed if not set(text) & {"*", "#"}]
        if not model.get("id_is_label"):
            literals.append(model["id"].lower())
        if name in literals:
            return model, "exact"
        for pattern in listed:
            excluded = any(matches(book, text, name) for text in model.get("except", []))
            if set(pattern) & {"*", "#"} and not excluded and matches(book, pattern, name):
                weight = len(re.sub(r"[*#]", "", pattern))
                if best is None or weight > best[0]:
                    best = (weight, model)
    return (best[1], "pattern") if best else (None, None)


def resolve(book, provider, model):
    own = find_provider(book, provider)
    name = model.strip().lower()
    names = [name]
    first, _, rest = name.partition("/")
    try:
        if rest and find_provider(book, first) == own:
            names.append(rest)
    except Unknown:
        pass
    if name.startswith("models/"):
        names.append(name[7:])
    names += [COMPACT_DATE.sub(r"\1\2-\3-\4", name) for name in names]
    for seller in [own, *book["providers"][own].get("fallback", [])]:
        for name in dict.fromkeys(names):
            found, how = find_model(book, seller, name)
            if found:
                return own, seller, found, how
    raise Unknown(f"{own}: {model!r}")


def instant(text):
    if len(text) == 10:
        text += "T00:00:00+00:00"
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def in_force(book, entry, at):
    if "from" in entry and at < instant(entry["from"]):
        return False
    if "until" in entry and at >= instant(entry["until"]):
        return False
    if "utc" in entry and not any(in_window(w, at.strftime("%H:%M")) for w in entry["utc"]):
        return False
    if "weekdays" in entry and at.isoweekday() not in entry["weekdays"]:
        return False
    if "not_holiday" in entry:
        calendar = book["calendars"][entry["not_holiday"]]
        offset = dt.datetime.fromisoformat(f"2000-01-01T00:00:00{calendar['utc_offset']}")
        return (at + offset.utcoffset()).date().isoformat() not in calendar["dates"]
    return True


def in_window(window, time):
    start, end = window.split("-")
    return start <= time < end if start <= end else time >= start or time < end


def rate(entry, unit, prompt):
    out = entry["usd"].get(unit)
    for tier in entry.get("above", []):
        if prompt > tier["tokens"] and unit in tier["usd"]:
            out = tier["usd"][unit]
    return out


@dataclass
class Result:
    cost: D
    input: D
    output: D
    provider: str
    priced_by: str
    model: str
    match: str
    lines: list = field(default_factory=list)
    flags: list = field(default_factory=list)


def cost(book, provider, model, usage, at, context=None):
    own, seller, row, how = resolve(book, provider, model)
    flags = [] if how == "exact" else ["pattern_match"]
    if own != seller:
        flags.append("fallback_price")
    if row.get("free"):
        return Result(D(0), D(0), D(0), own, seller, row["id"], how, [], [*flags, "free"])
    if row.get("unpriced") or not row.get("prices"):
        raise Unpriced(f"{seller}/{row['id']}")
    standard = next((entry for entry in row["prices"] if in_force(book, entry, at)), None)
    if standard is None:
        raise Unpriced(f"{seller}/{row['id']} has no price at {at}")
    context = context or {}
    holds = lambda when: all(context.get(key) == value for key, value in when.items())
    entries = {unit: standard for unit in standard["usd"]}
    considered = {key for factor in row.get("multiply", []) for key in factor["when"]}
    if own == seller:
        for variant in row.get("variants", []):
            if holds(variant["when"]) and in_force(book, variant, at):
                considered |= set(variant["when"])
                for unit in variant["usd"]:
                    if entries.get(unit, standard) is standard:
                        entries[unit] = variant
    for key, value in context.items():
        if key not in considered and value not in book["ordinary"].get(key, []):
            flags.append(f"context_not_priced:{key}={value}")
    factor = D(1)
    for multiply in row.get("multiply", []):
        if holds(multiply["when"]):
            factor *= D(multiply["by"])
    units = book["units"]
    use = checked(usage, row)
    dims = {unit: frozenset(units[unit]["dims"]) for unit in entries}
    leaf = {}
    for unit in sorted(entries, key=lambda unit: (-len(dims[unit]), unit)):
        whole = D(1) if unit == "request" else use.get(units[unit]["usage"], D(0))
        parts = sum((leaf[part] for part in leaf if dims[part] > dims[unit]), D(0))
        if unit != "request" and whole < parts:
            raise BadUsage(f"{units[unit]['usage']}={whole} is less than its parts ({parts})")
        leaf[unit] = whole - parts
    priced = {units[unit]["usage"] for unit in entries}
    flags += [f"no_rate:{key}" for key, count in use.items() if count and key not in priced]
    result = Result(D(0), D(0), D(0), own, seller, row["id"], how, [], flags)
    for unit in sorted(entries):
        usd = D(rate(entries[unit], unit, use.get("input_tokens", D(0))))
        amount = usd * leaf[unit] / units[unit]["per"]
        if "tokens" in dims[unit]:
            amount *= factor
        if leaf[unit]:
            result.lines.append((unit, leaf[unit], usd, amount))
        result.cost += amount
        if "direction=input" in dims[unit]:
            result.input += amount
        elif "direction=output" in dims[unit]:
            result.output += amount
    return result


def checked(usage, row):
    use = {}
    for key, count in usage.items():
        use[key] = D(str(count))
        if use[key] < 0 or not use[key].is_finite():
            raise BadUsage(f"{key}={count}")
    for key, floor in (row.get("minimum") or {}).items():
        seconds = use.get("audio_seconds") or use.get("input_audio_seconds")
        if seconds:
            use[key] = max(seconds, D(floor))
    return use


def check(book, case):
    """What is wrong with the calculator's answer to a golden case; `None` where it is right."""
    at = instant(case["timestamp"])
    if "parts" in case:
        parts = [
            (D(part["expected_cost_usd"]), cost(book, case["provider"], part["model"], part["usage"], at))
            for part in case["parts"]
        ]
        right = all(expected == part.cost for expected, part in parts)
        total = sum(part.cost for _, part in parts)
        return None if right and total == D(case["expected_cost_usd"]) else parts
    try:
        result = cost(book, case["provider"], case["model"], case["usage"], at, case.get("context"))
    except (Unknown, Unpriced, BadUsage) as error:
        return None if case.get("expected_error") == type(error).__name__ else error
    if "expected_cost_usd" not in case or result.model != case["catalogue_model"]:
        return result
    compare = case.get("compare", "exact")
    tolerance = D(0) if compare == "exact" else D(compare)
    return None if abs(result.cost - D(case["expected_cost_usd"])) <= tolerance else result


def main():
    book = load(sys.argv[1])
    failed = 0
    for path in map(Path, sys.argv[2:]):
        cases = [json.loads(line) for line in path.read_text().splitlines()]
        wrong = [(case["id"], found) for case in cases if (found := check(book, case)) is not None]
        for name, found in wrong:
            print(f"{path.name}: {name}: {found}")
        print(f"{path.name}: {len(cases) - len(wrong)} passed, {len(wrong)} failed")
        failed += len(wrong)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
