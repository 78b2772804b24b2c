//! Alerts over every store: when they fire, that they fire once, and who hears of it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod delivery;
#[allow(dead_code, reason = "the store's own tests use more of it")]
#[path = "../../../aurax-store/tests/store/desk.rs"]
mod desk;
mod rules;
mod scene;
mod thresholds;

desk::on_every_store! {
    rules:
        many_errors_fire_once_and_are_over,
        slow_answers_fire_by_what_callers_feel,
        unusual_use_fires_by_the_same_hour_of_the_days_before,
        a_restart_goes_on_where_the_last_process_was,
        two_evaluators_at_once_fire_once,
        a_process_that_died_is_replaced,
        operators_change_and_switch_off_rules;
    thresholds:
        every_metric_fires_above_its_threshold_alone,
        a_user_is_measured_by_their_own_calls,
        the_nearest_budget_counts,
        what_cannot_be_measured_costs_others_nothing;
    delivery:
        a_webhook_is_signed_and_says_what_happened,
        every_process_tells_its_listeners_once;
}
