//! What sessions do over any store: one test a case.
//!
//! A store's own tests take these modules with `#[path]` and run every case with
//! `each_case!(over_my_store)`, where `over_my_store(case)` makes a runtime and a [`World`] and
//! plays the case in it.
//!
//! [`World`]: crate::world::World

pub(crate) mod busy;
pub(crate) mod files;
pub(crate) mod keeping;
pub(crate) mod tools;
pub(crate) mod tree;

macro_rules! each_case {
    ($run:path) => {
        each_case! { $run:
            keeping::a_session_is_kept_and_found,
            keeping::sessions_are_listed_the_latest_made_first,
            keeping::nobody_sees_anothers,
            keeping::a_send_keeps_what_was_said_and_what_it_cost,
            keeping::settings_are_the_sessions_unless_the_send_has_others,
            keeping::the_provider_changes_from_turn_to_turn,
            keeping::a_failed_call_ends_with_the_persons_turn,
            keeping::what_had_arrived_is_kept,
            keeping::what_is_deleted_is_gone,
            keeping::a_title_by_hand_wins,
            keeping::changes_at_once_are_all_made,
            keeping::a_title_is_made_once_by_the_model,
            keeping::words_are_found_all_of_them,
            tree::another_answer_is_a_sibling,
            tree::an_edit_is_a_sibling_with_an_answer_of_its_own,
            tree::a_session_goes_on_from_where_it_was_switched_to,
            tree::a_failed_try_leaves_the_branch_in_use,
            tree::only_what_can_be_said_is,
            busy::of_two_sends_one_wins,
            busy::of_two_engines_one_wins,
            busy::a_session_that_moved_on_is_read_again,
            busy::what_was_read_before_another_answer_is_refused,
            busy::a_dropped_answer_frees_the_session,
            tools::tools_run_and_the_model_goes_on,
            tools::each_call_of_the_model_is_a_request_of_its_own,
            tools::a_tool_that_fails_is_told_to_the_model,
            tools::results_come_in_the_order_of_the_calls,
            tools::a_model_that_never_stops_asking_is_stopped,
            tools::the_caller_may_run_tools_itself,
            tools::calls_that_never_ran_are_said_to_have_not,
            tools::a_drop_at_any_event_frees_the_session,
            files::a_document_comes_back_the_same,
            files::lines_come_back_the_same_in_any_pieces,
            files::a_file_that_is_none_leaves_nothing_behind,
        }
    };
    ($run:path: $($module:ident::$case:ident,)*) => {
        $(#[test]
        fn $case() {
            $run(|world| Box::pin(async move { suite::$module::$case(&world).await }));
        })*
    };
}
pub(crate) use each_case;
