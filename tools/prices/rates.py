"""Turns the feed's prices into the book's rows, and its units into the book's table."""

import datetime as dt
from decimal import Decimal

from genai_prices import types as feed
from genai_prices.units import _get_registry

# The book's names of units, where they are not the feed's usage key without `_tokens`.
NAMES = {
    "cache_audio_read": "cache_read_audio",
    "cache_image_read": "cache_read_image",
    "output_reasoning": "reasoning",
    "output_citation": "citation",
    "web_searches": "web_search",
    "storage_searches": "file_search",
    "requests": "request",
    "input_document_pages": "page",
    "input_annotated_document_pages": "annotated_page",
    "input_characters": "input_chars",
    "audio_seconds": "audio",
    "input_audio_seconds": "input_audio_time",
    "input_text_messages": "text_message",
}


def decimal(value):
    """The value's digits, without an exponent and without trailing zeros."""
    text = format(Decimal(value).normalize(), "f")
    return "0" if text == "-0" else text


def unit_name(usage_key):
    key = usage_key.removesuffix("_tokens")
    return NAMES.get(key, key)


class Rates:
    """Reads rates and remembers which of the feed's units they are in."""

    def __init__(self):
        self.used = set()

    def units(self):
        """The table of the units that any rate is in."""
        table = {}
        for unit in _get_registry().units.values():
            if unit.price_key in self.used:
                facts = sorted(unit.dimensions.items())
                dims = [f"{name}={value}" for name, value in facts if name != "family"]
                table[unit_name(unit.usage_key)] = {
                    "usage": unit.usage_key,
                    "per": unit.per,
                    "dims": [unit.dimensions["family"], *dims],
                }
        return table

    def prices(self, model):
        """The prices of a model, the first active one first.

        In the feed the last active one wins, so they are turned around.
        """
        if isinstance(model.prices, feed.ModelPrice):
            row = self.row(None, model.prices)
            return [row] if row["usd"] else []
        rows = []
        for price in reversed(model.prices):
            row = self.row(price.constraint, price.prices)
            last = rows[-1] if rows else {}
            if "utc" in row and "utc" in last and row == last | {"utc": row["utc"]}:
                last["utc"] = row["utc"] + last["utc"]
            else:
                rows.append(row)
        return rows

    def variants(self, model):
        return [
            {"when": dict(variant.when)} | self.row(variant.constraint, variant.prices)
            for variant in model.price_variants or []
        ]

    def row(self, constraint, price):
        usd, above = {}, {}
        for price_key, value in vars(price).items():
            if value is None or price_key.startswith("_"):
                continue
            self.used.add(price_key)
            unit = unit_name(_get_registry().unit_for_price_key(price_key).usage_key)
            if isinstance(value, feed.TieredPrices):
                usd[unit] = decimal(value.base)
                for tier in value.tiers:
                    above.setdefault(tier.start, {})[unit] = decimal(tier.price)
            else:
                usd[unit] = decimal(value)
        row = condition(constraint) | {"usd": usd}
        if above:
            row["above"] = [{"tokens": start, "usd": above[start]} for start in sorted(above)]
        return row


def condition(constraint):
    if constraint is None:
        return {}
    if isinstance(constraint, feed.StartDateConstraint):
        return {"from": constraint.start_date.isoformat()}
    if constraint.start_time.utcoffset() not in (None, dt.timedelta(0)):
        raise ValueError(f"not in UTC: {constraint}")
    start, end = (t.strftime("%H:%M") for t in (constraint.start_time, constraint.end_time))
    return {"utc": [f"{start}-{end}"]}
