//! One suite of behaviour over every store: SQLite in memory and in a file, PostgreSQL directly and
//! through PgBouncer.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod desk;
mod sessions;
mod users;

desk::on_every_store! {
    sessions:
        a_session_comes_back_as_it_was,
        a_change_touches_what_it_names,
        a_leaf_is_a_turn_of_the_session,
        turns_come_back_to_the_byte,
        a_branch_is_the_way_from_the_root,
        turns_and_children_come_page_by_page,
        sessions_come_latest_first,
        a_deleted_session_takes_its_words_along,
        a_search_finds_all_words_and_no_parts_of_words,
        a_search_goes_on_where_it_stopped,
        nobody_sees_anothers_session,
        what_cannot_be_kept_is_named;
    users:
        an_account_is_found_by_its_address_in_any_case,
        an_address_has_one_account,
        a_user_sees_their_own_account,
        an_operator_changes_what_is_named,
        accounts_are_listed_page_by_page,
        text_with_a_nul_is_refused_by_name;
}
