use serde_json::value::RawValue;
use wrenchtime_connector::{Document, EntityName, Mapper, RemoteKey};
use wrenchtime_model::ConnectionId;

use crate::support::mapping;

/// Maps a fixture and returns what a snapshot is to hold.
fn mapped(entity: &'static str, body: &str) -> serde_json::Value {
    let connection: ConnectionId = "0190d9a0-0000-7000-8000-000000000001".parse().unwrap();
    let raw = RawValue::from_string(body.trim().to_owned()).unwrap();
    let id = serde_json::from_str::<serde_json::Value>(body).unwrap()["Id"].to_string();
    let document = Document::new(EntityName::from_static(entity), RemoteKey::new(id), raw);
    let records = mapping().map(connection, &document).unwrap();
    let shown = records.iter().map(|record| {
        serde_json::json!({
            "resource": record.resource,
            "remote_created_at": record.remote_created_at,
            "remote_modified_at": record.remote_modified_at,
            "status": record.facets.status,
            "content": serde_json::from_str::<serde_json::Value>(record.content.get()).unwrap(),
        })
    });
    shown.collect()
}

macro_rules! snapshot {
    ($name:ident, $entity:literal, $file:literal) => {
        #[test]
        fn $name() {
            insta::assert_json_snapshot!(mapped(
                $entity,
                include_str!(concat!("../../fixtures/", $file))
            ));
        }
    };
}

snapshot!(
    a_request_in_progress,
    "WorkOrder",
    "work_order/request_in_progress.json"
);
snapshot!(
    gotcha_10_a_new_order_assigned_to_a_vendor,
    "WorkOrder",
    "work_order/new_assigned_to_vendor.json"
);
snapshot!(
    unknown_members_are_kept_beside_unknown,
    "WorkOrder",
    "work_order/completed_unknown_members.json"
);
snapshot!(a_completed_order, "WorkOrder", "work_order/completed.json");
snapshot!(
    equipment_with_its_place,
    "Location",
    "location/equipment.json"
);
snapshot!(a_room_with_address, "Location", "location/room.json");
snapshot!(
    a_template_becomes_nothing,
    "Location",
    "location/template.json"
);
snapshot!(a_site, "WorkZone", "work_zone/site.json");
snapshot!(a_technician, "Employee", "employee/technician.json");
snapshot!(a_vendor, "Employee", "employee/vendor.json");

#[test]
fn gotcha_21_numbers_keep_their_leading_zeros() {
    let body = include_str!("../../fixtures/work_order/new_assigned_to_vendor.json");
    assert_eq!(mapped("WorkOrder", body)[0]["content"]["number"], "0017");
}
