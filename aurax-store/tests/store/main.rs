//! One suite of behaviour over every store: SQLite in memory and in a file, PostgreSQL directly and
//! through PgBouncer.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod desk;
mod ledger;
#[path = "../support/mod.rs"]
mod support;
mod users;

desk::on_every_store! {
    ledger:
        a_call_has_one_intent_one_settlement_and_one_charge,
        the_caller_sees_the_end_after_it_is_written,
        what_went_wrong_is_written_with_its_outcome,
        many_calls_at_once_are_all_written,
        a_closed_ledger_refuses_calls,
        the_same_words_are_chatted_by_name,
        a_hard_budget_is_not_overspent_by_calls_at_once,
        a_call_within_a_hard_budget_gets_an_output_limit,
        a_soft_budget_counts_and_never_refuses,
        what_a_dead_process_left_open_is_settled_once;
    users:
        an_account_is_found_by_its_address_in_any_case,
        an_address_has_one_account,
        a_user_sees_their_own_account,
        an_operator_changes_what_is_named,
        accounts_are_listed_page_by_page,
        text_with_a_nul_is_refused_by_name;
}
