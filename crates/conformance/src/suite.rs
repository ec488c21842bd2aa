//! The macro.

/// Makes a named test of each promise for a [`Harness`](crate::Harness). The calling crate needs `tokio` with
/// `macros` and `rt`.
#[macro_export]
macro_rules! suite {
    ($harness:ty) => {
        $crate::suite! { @each $harness:
            declarations_are_sane
            every_fault_is_declared_one_way_or_the_other
            the_account_is_the_same_each_time
            pages_hold_what_is_declared
            change_times_show_as_declared
            every_listing_shows_every_row
            as_many_rows_are_fetched_as_declared
            a_token_tells_whether_anything_changed
            a_listing_is_complete_at_every_page_border
            items_stand_in_the_declared_order
            a_tie_is_read_whole_across_a_page_border
            rows_inserted_between_pages_hide_no_other
            a_pass_goes_on_from_a_stored_cursor
            a_bound_is_inclusive_and_leaves_out_what_is_older
            a_change_shows_in_every_stream
            a_delete_shows_as_declared
            stubs_are_completed_by_fetch
            fetching_is_refused_without_a_request_where_it_is_not_declared
            every_document_maps_to_declared_records
            a_rate_limit_is_waited_out
            the_time_that_a_rate_limit_names_is_waited
            a_passing_failure_is_survived
            a_lasting_failure_is_told_as_unavailable
            an_expired_token_is_renewed_once
            a_malformed_reply_is_a_protocol_error
            an_unknown_field_is_kept
            an_unknown_enum_member_fails_no_mapping
            no_secret_shows_anywhere
        }
    };
    (@each $harness:ty: $($promise:ident)*) => {
        $(
            #[tokio::test]
            async fn $promise() {
                $crate::promises::$promise::<$harness>().await;
            }
        )*
    };
}
