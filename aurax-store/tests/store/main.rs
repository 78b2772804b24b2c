//! One suite of behaviour over every store: SQLite in memory and in a file, PostgreSQL directly and
//! through PgBouncer.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod access_keys;
mod accounts;
mod alerts;
mod bad_input;
mod budgets;
mod changes;
mod credentials;
mod desk;
mod history;
mod idempotency;
mod identities;
mod installation;
mod isolation;
mod jobs;
mod ledger;
mod logins;
mod money;
mod orphans;
mod plans;
mod provider_keys;
mod sessions;
#[path = "../support/mod.rs"]
mod support;
mod usage;
mod users;
mod watch;

desk::on_every_store! {
    access_keys:
        an_access_key_is_known_by_its_secret,
        a_key_that_is_off_or_old_opens_nothing,
        a_keys_last_use_is_written_once_a_minute,
        a_key_opens_though_its_use_cannot_be_written,
        a_change_of_a_key_touches_what_it_names,
        an_access_key_that_cannot_be_kept_is_named;
    accounts:
        of_many_first_accounts_one_is_the_first,
        an_account_is_found_by_its_id_closed_or_not,
        a_user_changes_their_address,
        another_password_ends_all_logins_but_one,
        who_has_no_account_changes_none,
        an_operator_resets_a_password,
        plans_are_set_by_their_name,
        a_plan_that_cannot_be_kept_is_named;
    alerts:
        an_alert_is_kept_and_changed,
        an_alert_fires_once_until_it_is_resolved,
        the_installation_has_alerts_that_operators_see,
        what_happened_lately_is_listed_and_forgotten;
    bad_input:
        a_database_newer_than_the_program_is_refused,
        another_programs_database_is_refused,
        a_cursor_of_elsewhere_is_refused_by_every_list,
        a_cursor_whose_item_is_gone_goes_on,
        a_nul_is_refused_by_the_name_of_its_field;
    budgets:
        a_budget_set_again_keeps_what_was_spent,
        a_new_period_has_spent_nothing,
        budgets_are_apart_by_scope_and_period,
        a_user_has_a_hundred_budgets_at_most,
        a_budget_that_cannot_be_kept_is_named;
    changes:
        a_change_touches_what_it_names,
        a_change_is_for_the_settings_it_was_made_for,
        a_leaf_is_a_turn_of_the_session;
    credentials:
        a_key_comes_back_to_calls_alone,
        a_key_opens_where_it_was_sealed_for_alone,
        a_rotation_that_stops_anywhere_leaves_every_key_readable;
    history:
        a_request_comes_back_to_the_byte,
        a_part_of_the_history_is_no_larger_than_a_page,
        plans_say_how_long_messages_stay,
        a_deleted_account_leaves_usage_alone;
    idempotency:
        a_request_is_answered_once,
        a_claim_that_is_released_is_free,
        a_dead_processes_claim_is_taken_over,
        an_answer_is_kept_for_a_day,
        an_answer_goes_with_its_session,
        a_key_is_of_visible_ascii;
    identities:
        an_identity_has_one_account_for_ever,
        an_account_somebody_has_is_given_to_no_identity,
        of_many_identities_at_once_one_gets_the_account,
        an_identity_that_cannot_be_kept_is_named;
    installation:
        of_many_master_keys_all_agree_on_one,
        a_rotation_changes_the_master_key_of_the_installation,
        signing_keys_are_shared_for_a_time,
        an_invitation_makes_one_account;
    isolation:
        a_foreign_id_is_like_one_that_does_not_exist,
        policies_hold_without_any_predicate,
        a_missing_predicate_is_noticed,
        every_table_of_tenants_is_closed;
    jobs:
        one_process_at_a_time_does_a_job,
        sums_of_usage_outlive_its_rows,
        a_plan_says_how_long_messages_are_kept,
        prices_that_were_wrong_are_corrected_beside_the_charge,
        prices_that_go_back_and_forth_are_followed,
        what_its_writer_corrected_is_priced_by_the_correction,
        partitions_are_there_before_they_are_needed,
        rows_that_had_no_partition_move_into_theirs;
    ledger:
        a_call_has_one_intent_one_settlement_and_one_charge,
        the_caller_sees_the_end_after_it_is_written,
        what_went_wrong_is_written_with_its_outcome,
        many_calls_at_once_are_all_written,
        what_no_database_takes_fails_alone,
        a_closed_ledger_refuses_calls,
        the_same_words_are_chatted_by_name,
        a_hard_budget_is_not_overspent_by_calls_at_once,
        a_call_within_a_hard_budget_gets_an_output_limit,
        a_soft_budget_counts_and_never_refuses,
        an_answer_with_a_nul_is_charged_like_any_other;
    logins:
        a_refresh_token_is_exchanged_for_the_next,
        a_token_used_twice_ends_the_login,
        many_exchanges_at_once_leave_one_login,
        of_tokens_of_one_exchange_one_goes_on,
        a_login_ends_after_thirty_idle_and_ninety_days,
        a_user_ends_one_login_or_all,
        a_closed_account_renews_nothing,
        a_logins_account_is_known_while_it_goes_on,
        logins_that_ended_are_forgotten_in_batches;
    orphans:
        what_a_dead_process_left_open_is_settled_once,
        what_was_left_open_long_ago_counts_for_then,
        a_request_that_is_swept_twice_is_charged_for_both,
        a_process_that_comes_back_is_left_alone;
    provider_keys:
        a_provider_key_is_shown_masked,
        a_provider_has_one_key_of_a_name,
        a_call_gets_the_named_else_the_default_else_the_newest_key,
        a_replaced_key_has_yet_to_be_validated,
        provider_keys_are_listed_and_deleted,
        keys_are_sealed_anew_unless_they_changed,
        a_provider_key_that_cannot_be_kept_is_named;
    sessions:
        a_session_comes_back_as_it_was,
        turns_come_back_to_the_byte,
        a_branch_is_the_way_from_the_root,
        a_part_of_a_list_is_no_larger_than_a_page,
        turns_and_children_come_page_by_page,
        sessions_come_latest_first,
        a_deleted_session_takes_its_words_along,
        a_search_finds_all_words_and_no_parts_of_words,
        a_search_goes_on_where_it_stopped,
        nobody_sees_anothers_session,
        what_cannot_be_kept_is_named;
    usage:
        usage_comes_back_as_it_was,
        a_filter_lets_through_what_it_names,
        sums_and_times_are_exact_by_every_group,
        a_series_has_a_point_for_every_step,
        sums_of_days_that_were_rolled_up_count,
        a_sum_beyond_all_money_is_an_error;
    users:
        an_account_is_found_by_its_address_in_any_case,
        an_address_has_one_account,
        a_user_sees_their_own_account,
        an_operator_changes_what_is_named,
        accounts_are_listed_page_by_page,
        text_with_a_nul_is_refused_by_name;
    watch:
        figures_of_a_time_are_those_of_its_calls,
        calls_are_counted_in_each_of_several_times,
        budgets_are_read_of_many_tenants;
}
