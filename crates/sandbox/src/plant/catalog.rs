//! Kinds of machines, what breaks on them and what is done about it.

/// A kind of machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Category {
    /// Identifier, from 1.
    pub id: u32,
    /// Name.
    pub name: &'static str,
    /// Technical system it belongs to.
    pub system: &'static str,
    /// Begins tags and names.
    pub prefix: &'static str,
    /// Index into [`TRADES`].
    pub trade: u32,
    /// Makers with a model each.
    pub makers: &'static [(&'static str, &'static str)],
    /// Components that are assets of their own.
    pub components: &'static [&'static str],
    /// What is done on it.
    pub tasks: &'static [Task],
}

/// A standard piece of work on a kind of machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Task {
    /// Identifier, unique among all tasks.
    pub id: u32,
    /// Name.
    pub name: &'static str,
    /// Planned upkeep rather than repair.
    pub preventive: bool,
    /// Minutes it takes.
    pub minutes: u32,
    /// What people report, or the instructions of planned work.
    pub symptoms: &'static [&'static str],
    /// What is written when it is done.
    pub fixes: &'static [&'static str],
}

/// Trades of people and vendors.
pub const TRADES: &[&str] = &[
    "HVAC",
    "Electrical",
    "Mechanical",
    "Plumbing",
    "Controls",
    "General maintenance",
];

const fn task(
    id: u32,
    name: &'static str,
    minutes: u32,
    symptoms: &'static [&'static str],
    fixes: &'static [&'static str],
) -> Task {
    Task {
        id,
        name,
        preventive: false,
        minutes,
        symptoms,
        fixes,
    }
}

const fn planned(
    id: u32,
    name: &'static str,
    minutes: u32,
    steps: &'static [&'static str],
    fixes: &'static [&'static str],
) -> Task {
    Task {
        id,
        name,
        preventive: true,
        minutes,
        symptoms: steps,
        fixes,
    }
}

const DONE: &[&str] = &[
    "All points checked, nothing found.",
    "Checked and lubricated. Readings within limits.",
    "Done as planned; wear visible, replace at next service.",
    "Completed, filter changed.",
];

/// All kinds of machines.
pub const CATEGORIES: &[Category] = &[
    Category {
        id: 1,
        name: "Air handling unit",
        system: "HVAC",
        prefix: "AHU",
        trade: 0,
        makers: &[("Boreal Air", "BX-40"), ("Trent & Lowe", "AH200")],
        components: &["Supply fan", "Filter bank", "Cooling coil"],
        tasks: &[
            task(
                101,
                "No cooling",
                120,
                &[
                    "Room at 29 °C, set point 21 °C",
                    "Warm air from all diffusers",
                    "Operators complain about heat since this morning",
                ],
                &[
                    "Reset high pressure switch, cleaned condenser coil",
                    "Recharged refrigerant, leak at flare nut repaired",
                ],
            ),
            task(
                102,
                "Fan noise or vibration",
                90,
                &[
                    "Loud rumbling from supply fan",
                    "Bearing noise on drive end, louder under load",
                ],
                &[
                    "Replaced both fan bearings, aligned pulleys",
                    "Tightened loose motor mount",
                ],
            ),
            planned(
                103,
                "Quarterly filter change",
                60,
                &["Change pleated filters, check differential pressure, inspect belts"],
                DONE,
            ),
        ],
    },
    Category {
        id: 2,
        name: "Air compressor",
        system: "Compressed air",
        prefix: "CMP",
        trade: 2,
        makers: &[("Kelso", "GA30"), ("Ingram Rotary", "R55i")],
        components: &["Air end", "Oil separator", "Dryer"],
        tasks: &[
            task(
                201,
                "Low pressure",
                100,
                &[
                    "Line pressure drops to 4.8 bar at peak",
                    "Compressor runs without reaching set point",
                ],
                &[
                    "Intake valve stuck, cleaned and lubricated",
                    "Found leak at quick coupling, replaced",
                ],
            ),
            task(
                202,
                "High oil temperature",
                90,
                &[
                    "Trips on 110 °C oil temperature",
                    "Alarm E-07 twice this shift",
                ],
                &[
                    "Cooler blown out, thermostat replaced",
                    "Oil level low, topped up 3 l",
                ],
            ),
            planned(
                203,
                "2000 h service",
                180,
                &["Oil and separator change, check dryer drain, record hours"],
                DONE,
            ),
        ],
    },
    Category {
        id: 3,
        name: "Conveyor",
        system: "Material handling",
        prefix: "CNV",
        trade: 2,
        makers: &[("Rolltech", "CB-600"), ("Hanseline", "L2")],
        components: &["Drive unit", "Tail pulley"],
        tasks: &[
            task(
                301,
                "Belt mistracking",
                45,
                &[
                    "Belt runs to the left and rubs on the frame",
                    "Cartons fall off at the transfer",
                ],
                &[
                    "Tracked belt, replaced worn return roller",
                    "Cleaned tail pulley, re-tensioned",
                ],
            ),
            task(
                302,
                "Drive stopped",
                75,
                &[
                    "Motor hums, belt does not move",
                    "Overload relay trips after restart",
                ],
                &[
                    "Replaced gear motor",
                    "Removed jammed strapping from sprocket",
                ],
            ),
            planned(
                303,
                "Monthly inspection",
                40,
                &["Check chain tension, guards, emergency stops; grease bearings"],
                DONE,
            ),
        ],
    },
    Category {
        id: 4,
        name: "CNC machine",
        system: "Production",
        prefix: "CNC",
        trade: 4,
        makers: &[("Okawa", "MX-500"), ("Dornier Precision", "V7")],
        components: &["Spindle", "Coolant unit", "Tool changer"],
        tasks: &[
            task(
                401,
                "Spindle alarm",
                150,
                &[
                    "Alarm 414 servo fault on Z axis",
                    "Spindle load 120 % while idle",
                ],
                &[
                    "Encoder cable replaced",
                    "Drive reset after parameter check, watch for return",
                ],
            ),
            task(
                402,
                "Coolant leak",
                60,
                &[
                    "Coolant on the floor behind the machine, slip hazard!",
                    "Coolant level drops overnight",
                ],
                &["Replaced hose and clamp", "Seal of pump renewed"],
            ),
            planned(
                403,
                "Weekly lubrication",
                30,
                &["Check way oil, clean chip tray, verify air pressure"],
                DONE,
            ),
        ],
    },
    Category {
        id: 5,
        name: "Pump",
        system: "Process water",
        prefix: "PMP",
        trade: 3,
        makers: &[("Grundmann", "NB 65-160"), ("Flowmark", "CP-9")],
        components: &["Motor", "Mechanical seal"],
        tasks: &[
            task(
                501,
                "Seal leaking",
                120,
                &[
                    "Steady drip from shaft seal",
                    "Water under pump, about a bucket a day",
                ],
                &[
                    "Mechanical seal replaced, shaft polished",
                    "Gland re-packed",
                ],
            ),
            task(
                502,
                "No flow",
                90,
                &[
                    "Pump runs, no flow on meter",
                    "Pressure gauge at zero, pump hot",
                ],
                &[
                    "Strainer was blocked, cleaned",
                    "Air in suction line, primed and vented",
                ],
            ),
            planned(
                503,
                "Semi-annual pump service",
                75,
                &["Grease bearings, check alignment, record amps and vibration"],
                DONE,
            ),
        ],
    },
    Category {
        id: 6,
        name: "Electrical panel",
        system: "Power distribution",
        prefix: "PNL",
        trade: 1,
        makers: &[("Voltara", "LVX-630"), ("Circor", "P4")],
        components: &[],
        tasks: &[
            task(
                601,
                "Breaker trips",
                60,
                &[
                    "Breaker Q14 trips every few hours",
                    "Half of the lights in the hall are out",
                ],
                &[
                    "Circuit overloaded by heater, load moved",
                    "Faulty ballast isolated",
                ],
            ),
            planned(
                602,
                "Annual thermography",
                90,
                &["Infrared scan of all terminals under load, tighten where above limit"],
                DONE,
            ),
        ],
    },
    Category {
        id: 7,
        name: "Dock door",
        system: "Building envelope",
        prefix: "DOR",
        trade: 5,
        makers: &[("Portalis", "D300"), ("Overton", "Rapid 8")],
        components: &["Leveler"],
        tasks: &[
            task(
                701,
                "Door does not close",
                60,
                &[
                    "Door stops half way",
                    "Door 4 hit by forklift, panel bent\r\nKeep clear until repaired",
                ],
                &["Photo eye realigned", "Panel and two rollers replaced"],
            ),
            planned(
                702,
                "Door safety check",
                30,
                &["Test safety edge, springs, cables; lubricate tracks"],
                DONE,
            ),
        ],
    },
    Category {
        id: 8,
        name: "Forklift",
        system: "Material handling",
        prefix: "FLT",
        trade: 2,
        makers: &[("Linden", "E20"), ("Hystad", "J2.5")],
        components: &["Battery"],
        tasks: &[
            task(
                801,
                "Battery does not charge",
                60,
                &[
                    "Charger shows fault, truck dead after an hour",
                    "Cell 7 reads 1.6 V",
                ],
                &[
                    "Cell replaced, equalising charge done",
                    "Connector burnt, replaced",
                ],
            ),
            task(
                802,
                "Hydraulic leak at mast",
                120,
                &["Oil on mast and floor", "Forks sink with load"],
                &["Lift cylinder resealed", "Hose replaced"],
            ),
            planned(
                803,
                "250 h truck inspection",
                90,
                &["Brakes, steering, chains, forks, horn and lights"],
                DONE,
            ),
        ],
    },
    Category {
        id: 9,
        name: "Boiler",
        system: "Heating",
        prefix: "BLR",
        trade: 0,
        makers: &[("Vulcan Heat", "S-900"), ("Marsden", "Condor 250")],
        components: &["Burner", "Feed pump"],
        tasks: &[
            task(
                901,
                "Flame failure",
                90,
                &[
                    "Lockout on flame failure at start",
                    "No hot water in the wash rooms",
                ],
                &[
                    "Ignition electrode and UV cell replaced",
                    "Gas filter cleaned, restarted, CO 12 ppm",
                ],
            ),
            planned(
                902,
                "Annual boiler inspection",
                240,
                &["Open, clean fire side, test safety valve and low water cut-off"],
                DONE,
            ),
        ],
    },
    Category {
        id: 10,
        name: "Lighting circuit",
        system: "Lighting",
        prefix: "LGT",
        trade: 1,
        makers: &[("Lumenor", "HB150")],
        components: &[],
        tasks: &[
            task(
                1001,
                "Lamps out",
                40,
                &[
                    "Three lamps out above the line",
                    "Flickering light, gives me a headache",
                ],
                &["Lamps and driver replaced", "Loose neutral tightened"],
            ),
            planned(
                1002,
                "Emergency light test",
                45,
                &["Ninety minute discharge test, list failed units"],
                DONE,
            ),
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{CATEGORIES, TRADES};

    #[test]
    fn ids_are_unique_and_every_kind_has_both_sorts_of_tasks() {
        let tasks: Vec<_> = CATEGORIES.iter().flat_map(|kind| kind.tasks).collect();
        let ids: BTreeSet<_> = tasks.iter().map(|task| task.id).collect();
        assert_eq!(ids.len(), tasks.len());
        for (index, kind) in CATEGORIES.iter().enumerate() {
            assert_eq!(kind.id as usize, index + 1);
            assert!(TRADES.get(kind.trade as usize).is_some());
            assert!(kind.tasks.iter().any(|task| task.preventive));
            assert!(kind.tasks.iter().any(|task| !task.preventive));
        }
    }
}
