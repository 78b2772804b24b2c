//! One suite of behaviour over every store: SQLite in memory and in a file, PostgreSQL directly and
//! through PgBouncer.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod desk;
mod users;

desk::on_every_store! {
    users:
        an_account_is_found_by_its_address_in_any_case,
        an_address_has_one_account,
        a_user_sees_their_own_account,
        an_operator_changes_what_is_named,
        accounts_are_listed_page_by_page,
        text_with_a_nul_is_refused_by_name;
}
