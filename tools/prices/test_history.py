"""The history check has to be seen refusing."""

import copy
import unittest

from history import changes, moved_names


def book(*models, calendars=None, date="2026-11-21"):
    return {
        "date": date,
        "calendars": calendars or {},
        "routes": None,
        "providers": {"acme": {"models": list(models)}},
    }


def model(*prices, **more):
    return {"id": "m", "prices": list(prices), **more}


def price(usd, **more):
    return {**more, "usd": {"input": usd}}


class History(unittest.TestCase):
    def changed(self, before, after, rewrites=()):
        return [line.split(":")[0] for line in changes(before, after, rewrites)]

    def test_the_same_book_is_no_change(self):
        before = book(model(price("1"), variants=[price("2", when={"tier": "fast"})]))
        self.assertEqual(self.changed(before, copy.deepcopy(before)), [])

    def test_a_price_from_today_on_is_no_change(self):
        before = book(model(price("1")))
        after = book(model(price("2", **{"from": "2026-11-21"}), price("1")))
        self.assertEqual(self.changed(before, after), [])

    def test_an_earlier_end_of_the_old_price_is_a_change(self):
        before = book(model(price("1")))
        after = book(model(price("2", **{"from": "2026-11-20"}), price("1")))
        self.assertEqual(self.changed(before, after), ["acme/m"])

    def test_a_price_changed_in_place_is_a_change(self):
        self.assertEqual(self.changed(book(model(price("1"))), book(model(price("2")))), ["acme/m"])

    def test_a_rewrite_that_is_explained_is_allowed(self):
        before, after = book(model(price("1"))), book(model(price("2")))
        self.assertEqual(self.changed(before, after, {"acme/m"}), [])

    def test_a_model_that_is_gone_is_a_change(self):
        self.assertEqual(self.changed(book(model(price("1"))), book()), ["acme/m"])

    def test_a_window_a_tier_and_a_factor_are_part_of_the_price(self):
        before = book(model(price("2", utc=["01:00-02:00"]), price("1")))
        after = book(model(price("2", utc=["01:00-03:00"]), price("1")))
        self.assertEqual(self.changed(before, after), ["acme/m"])
        tier = [{"tokens": 1, "usd": {"input": "3"}}]
        self.assertEqual(
            self.changed(book(model(price("1"))), book(model(price("1", above=tier)))), ["acme/m"]
        )
        factor = [{"when": {"region": "eu"}, "by": "1.1"}]
        self.assertEqual(
            self.changed(book(model(price("1"))), book(model(price("1"), multiply=factor))),
            ["acme/m"],
        )

    def test_a_variant_of_the_past_is_a_change(self):
        before = book(model(price("1")))
        fast = price("2", when={"tier": "fast"})
        self.assertEqual(self.changed(before, book(model(price("1"), variants=[fast]))), ["acme/m"])
        coming = price("2", when={"tier": "fast"}, **{"from": "2026-12-01"})
        self.assertEqual(self.changed(before, book(model(price("1"), variants=[coming]))), [])

    def test_a_holiday_may_be_added_and_never_taken_away(self):
        def calendar(*dates):
            return {"x": {"utc_offset": "+08:00", "dates": list(dates)}}

        row = model(price("1", not_holiday="x"), price("2"))
        before = book(row, calendars=calendar("2026-10-01"))
        after = book(row, calendars=calendar("2026-10-01", "2027-01-01"))
        self.assertEqual(self.changed(before, after), [])
        self.assertEqual(self.changed(after, before), ["calendar x"])

    def test_a_name_that_moves_is_noted(self):
        before = book(model(price("1"), match=["m-latest"]))
        after = book(model(price("1")), {"id": "n", "match": ["m-latest"], "prices": [price("1")]})
        self.assertEqual(list(moved_names(before, after)), ["acme: m-latest was m and is now n"])


if __name__ == "__main__":
    unittest.main()
