//! What stores promise, on every database there is.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests end a test by panicking, and allow-in-tests covers test functions only"
)]

mod backups;
mod connections;
mod credentials;
mod crowd;
mod fixture;
mod formats;
mod lists;
mod pages;
#[cfg(feature = "test-postgres")]
mod postgres;
mod property;
mod quarantine;
mod rows;
mod runs;
mod sqlite;
mod suspicions;
mod webhooks;
mod whole;

/// Runs every promise on a fixture, each as a test of its own. The list stands once, so that no database is let off.
#[macro_export]
macro_rules! store_suite {
    ($fixture:ty) => {
        $crate::store_suite! { $fixture:
            pages {
                a_page_is_stored_with_all_that_belongs_to_it
                what_did_not_change_is_silent_but_for_the_sources_times
                a_changed_record_moves_in_the_feed
                what_else_a_page_tells_stands_behind_its_records
                both_orders_of_the_feed_agree
                what_a_document_makes_no_more_is_gone
                a_deleted_document_leaves_tombstones_until_it_returns
                another_resource_is_a_delete_and_a_create
                what_is_shown_is_what_lists_choose_by
                an_older_observation_is_left_out
                quarantine_keeps_records_as_they_were
                a_key_twice_on_a_page_counts_in_order
                a_record_belongs_to_the_document_that_made_it_last
                facets_follow_the_record
            }
            rows {
                large_pages_and_odd_keys_are_stored
                texts_of_any_length_and_character_are_stored
                long_keys_are_in_order_and_kept_apart
                ranges_are_in_key_order_without_what_is_gone
                absence_is_told_by_marks_of_either_kind
                removal_spares_what_was_read_later
            }
            runs {
                an_unknown_connection_is_refused
                a_replaced_runner_writes_nothing
                an_unfinished_run_is_gone_on_with
                a_full_run_takes_the_place_of_a_lesser_one
                a_run_that_another_takes_the_place_of_leaves_no_marks
                first_runs_are_initial_until_one_succeeds
                the_end_of_a_run_is_told
                a_run_leaves_checkpoints_and_no_marks
                a_run_that_is_not_under_way_takes_no_page
                connections_do_not_see_each_other
                everything_is_there_after_a_restart
            }
            suspicions {
                what_stands_is_kept_with_the_rows_that_it_shows
                the_same_suspicion_keeps_what_is_decided_of_it
                a_row_that_came_back_is_suspect_no_more
                what_is_believed_stands_under_no_suspicion
                only_what_stands_can_be_decided
                what_is_decided_is_there_after_a_restart
            }
            webhooks {
                the_log_is_read_with_records_as_they_are_now
                a_stretch_is_fanned_out_once
                an_endpoint_gets_nothing_logged_before_it
                no_stretch_holds_events_from_both_sides_of_an_endpoints_beginning
                endpoints_read_back_as_they_were_added
                a_removed_endpoint_takes_its_deliveries_along
                a_taken_delivery_is_nobody_elses_until_its_lease_ends
                one_endpoint_does_not_take_all_places
                what_waits_for_an_enabled_endpoint_is_counted
                an_attempt_decides_what_follows
                what_arrived_stays_so_whatever_an_overtaken_attempt_says
                a_retry_by_hand_begins_a_new_plan
                deliveries_are_listed_newest_first_in_pages
            }
            connections {
                named_values_are_kept
                management_keys_are_found_by_hash
                a_connection_reads_back_as_it_was_made
                connections_are_listed_by_filter
                a_state_changes_only_from_an_expected_one
                a_disconnected_connection_is_read_and_never_written
                schedules_are_set
                records_go_further_back_and_never_less_far
                runs_are_listed_newest_first
                the_last_thousand_runs_are_remembered
                connections_are_counted_by_system_and_state
            }
            credentials {
                credentials_are_replaced_only_where_nothing_else_changed
                credentials_state_event_and_schedule_are_one_commit
            }
            lists {
                lists_are_filtered_by_every_value
                filters_hold_together
                pages_of_a_list_hold_every_row_once
                raw_documents_come_on_request
                the_change_feed_is_read_in_stretches
                a_list_tells_how_far_the_copy_is
            }
            quarantine {
                both_kinds_are_listed_in_pages
                what_was_mended_leaves_the_quarantine
                a_row_that_several_runs_met_is_told_once
                what_another_mapper_tried_is_to_be_mapped_again
                rows_that_were_asked_for_again_are_told_anew_or_not_at_all
                one_row_or_all_are_tried_again
                nothing_is_tried_again_that_is_not_in_quarantine
                rows_of_one_place_without_a_key_are_told_one_by_one
                what_a_listing_met_stays_until_the_next_listing
            }
            whole {
                a_statement_that_fails_in_the_middle_leaves_nothing
                a_commit_that_nobody_waits_for_is_whole_or_nothing
                a_closed_store_says_so
            }
            property {
                a_client_that_polls_during_commits_misses_nothing
            }
        }
    };
    ($fixture:ty: $($module:ident { $($name:ident)* })*) => {
        $(mod $module {
            $(
                #[tokio::test]
                async fn $name() {
                    $crate::$module::$name::<$fixture>().await;
                }
            )*
        })*
    };
}
