//! A function for each promise. Each starts a source of its own and panics where the promise is broken.

mod changes;
mod declarations;
mod facts;
mod faults;
mod paging;
mod rows;

pub use changes::{
    a_bound_is_inclusive_and_leaves_out_what_is_older, a_change_shows_in_every_stream,
    a_delete_shows_as_declared,
};
pub use declarations::{
    declarations_are_sane, every_fault_is_declared_one_way_or_the_other, no_secret_shows_anywhere,
    the_account_is_the_same_each_time,
};
pub use facts::{
    a_token_tells_whether_anything_changed, as_many_rows_are_fetched_as_declared,
    change_times_show_as_declared, every_listing_shows_every_row, pages_hold_what_is_declared,
};
pub use faults::{
    a_lasting_failure_is_told_as_unavailable, a_malformed_reply_is_a_protocol_error,
    a_passing_failure_is_survived, a_rate_limit_is_waited_out, an_expired_token_is_renewed_once,
    an_unknown_enum_member_fails_no_mapping, an_unknown_field_is_kept,
    the_time_that_a_rate_limit_names_is_waited,
};
pub use paging::{
    a_listing_is_complete_at_every_page_border, a_pass_goes_on_from_a_stored_cursor,
    a_tie_is_read_whole_across_a_page_border, items_stand_in_the_declared_order,
    rows_inserted_between_pages_hide_no_other,
};
pub use rows::{
    every_document_maps_to_declared_records,
    fetching_is_refused_without_a_request_where_it_is_not_declared, stubs_are_completed_by_fetch,
};
