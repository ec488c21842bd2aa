//! Names to choose from.

pub(super) const FIRST: &[&str] = &[
    "Alice", "Amara", "Andre", "Bianca", "Carlos", "Chloe", "Daniel", "Deepa", "Elena", "Emeka",
    "Fiona", "Gabriel", "Hanna", "Ibrahim", "Irene", "Jamal", "Jorge", "Karin", "Kenji", "Laura",
    "Luis", "Maya", "Miguel", "Nadia", "Noah", "Olga", "Omar", "Paula", "Priya", "Rafael", "Renée",
    "Rosa", "Samir", "Sofia", "Tomasz", "Uma", "Victor", "Wendy", "Yara", "Zoë",
];

pub(super) const LAST: &[&str] = &[
    "Abbott",
    "Baker",
    "Castillo",
    "Dawson",
    "Eriksen",
    "Farah",
    "Gallagher",
    "Hughes",
    "Ito",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Mendoza",
    "Nguyen",
    "O'Brien",
    "Okafor",
    "Pérez",
    "Quinn",
    "Ramirez",
    "Schmidt",
    "Tanaka",
    "Underwood",
    "Vargas",
    "Weber",
    "Xu",
    "Young",
    "Zimmermann",
    "Bauer",
    "Cole",
    "Dietrich",
];

pub(super) const VENDORS: &[(&str, bool)] = &[
    ("Great Lakes Mechanical", false),
    ("Harbor Electric Co.", false),
    ("Summit Elevator Service", false),
    ("Prairie Industrial Supply", true),
    ("Keystone Bearings & Drives", true),
    ("Northgate Fire & Safety", false),
    ("Blue Ridge Controls", false),
    ("Cascade Filtration", true),
    ("Midwest Fluid Power, Inc.", true),
    ("Evergreen Roofing \"Flat & Steep\"", false),
    ("Union Fastener Supply", true),
    ("Atlas Forklift Rental", false),
    ("Delta Hydraulics", false),
    ("Metro Plumbing Partners", false),
    ("Pioneer Motor Works", true),
    ("Sterling Compressor Care", false),
    ("Granite State Tooling", true),
    ("Lakeside Cleaning Group", false),
];

/// Code, name, street, city, state, postal code, country, time zone, currency, occupant.
pub(super) struct SiteSeed {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) street: &'static str,
    pub(super) city: &'static str,
    pub(super) state: &'static str,
    pub(super) postal_code: &'static str,
    pub(super) country: &'static str,
    pub(super) zone: chrono_tz::Tz,
    pub(super) currency: &'static str,
    pub(super) occupant: &'static str,
}

macro_rules! sites {
    ($(($code:literal, $name:literal, $street:literal, $city:literal, $state:literal, $postal:literal, $country:literal, $zone:ident :: $place:ident, $currency:literal, $occupant:literal))*) => {
        &[$(SiteSeed {
            code: $code,
            name: $name,
            street: $street,
            city: $city,
            state: $state,
            postal_code: $postal,
            country: $country,
            zone: chrono_tz::$zone::$place,
            currency: $currency,
            occupant: $occupant,
        }),*]
    };
}

pub(super) const SITES: &[SiteSeed] = sites! {
    ("JOL", "Joliet Assembly Plant", "2200 Ingalls Avenue", "Joliet", "IL", "60435", "US", America::Chicago, "USD", "Joliet Assembly")
    ("07", "Newark Distribution Center", "415 Doremus Avenue", "Newark", "NJ", "07105", "US", America::New_York, "USD", "Newark Logistics")
    ("AUR", "Aurora Foundry", "88 Smith Road", "Aurora", "CO", "80011", "US", America::Denver, "USD", "Aurora Castings")
    ("FRE", "Fremont Campus", "4100 Warm Springs Boulevard", "Fremont", "CA", "94538", "US", America::Los_Angeles, "USD", "Fremont Devices")
    ("COV", "Coventry Works", "12 Foleshill Lane", "Coventry", "West Midlands", "CV6 5AB", "GB", Europe::London, "GBP", "Coventry Works")
    ("LIE", "Liège Depot", "Rue du Port 7", "Liège", "Liège", "4000", "BE", Europe::Brussels, "EUR", "Liège Dépôt")
    ("PHX", "Phoenix Cold Storage", "1905 West Buckeye Road", "Phoenix", "AZ", "85007", "US", America::Phoenix, "USD", "Phoenix Foods")
    ("GRR", "Grand Rapids Furniture Line", "730 Monroe Avenue", "Grand Rapids", "MI", "49503", "US", America::New_York, "USD", "Grand Rapids Furniture")
};

pub(super) const BUILDINGS: &[&str] =
    &["Main Hall", "Utility Building", "Warehouse", "Office Block"];

pub(super) const ROOMS: &[&str] = &[
    "Assembly Line A",
    "Assembly Line B",
    "Machine Shop",
    "Compressor Room",
    "Boiler Room",
    "Paint Booth",
    "Packaging Area",
    "Loading Dock",
    "Server Room",
    "Tool Crib",
    "Canteen",
    "Quality Lab",
    "Pump Room",
    "Roof Plant",
    "Corridor",
    "Cold Store",
];

/// Stem, category, unit, cents, maker.
pub(super) const PARTS: &[(&str, &str, &str, u32, &str)] = &[
    (
        "Deep groove ball bearing",
        "Bearings",
        "each",
        1845,
        "Norrland",
    ),
    (
        "Spherical roller bearing",
        "Bearings",
        "each",
        14290,
        "Norrland",
    ),
    ("V-belt", "Belts", "each", 1260, "Gatewell"),
    ("Timing belt", "Belts", "each", 3875, "Gatewell"),
    (
        "Pleated air filter 24x24x2",
        "Filters",
        "box",
        5640,
        "ClearAir",
    ),
    (
        "Hydraulic return filter",
        "Filters",
        "each",
        4415,
        "ClearAir",
    ),
    (
        "Oil separator element",
        "Filters",
        "each",
        21050,
        "ClearAir",
    ),
    ("Mechanical seal 35 mm", "Seals", "set", 16875, "Sealwright"),
    ("O-ring kit NBR", "Seals", "set", 2410, "Sealwright"),
    ("Contactor 32 A", "Electrical", "each", 6395, "Voltara"),
    (
        "Thermal overload relay",
        "Electrical",
        "each",
        4720,
        "Voltara",
    ),
    ("Fuse 10x38 gG 16 A", "Electrical", "box", 1890, "Voltara"),
    (
        "Proximity sensor M18 PNP",
        "Sensors",
        "each",
        5230,
        "Sensiq",
    ),
    (
        "Pressure transmitter 0-10 bar",
        "Sensors",
        "each",
        18960,
        "Sensiq",
    ),
    ("PT100 probe", "Sensors", "each", 3985, "Sensiq"),
    (
        "Synthetic gear oil ISO 220",
        "Lubricants",
        "l",
        985,
        "Lubrimax",
    ),
    (
        "Lithium grease cartridge",
        "Lubricants",
        "each",
        620,
        "Lubrimax",
    ),
    ("Refrigerant R-134a", "Lubricants", "kg", 1640, "Polarchem"),
    ("Roller chain 12B-1", "Drives", "m", 2375, "Keyline"),
    ("Gear motor 0.75 kW", "Drives", "each", 58990, "Keyline"),
    ("Solenoid valve 1/2 in", "Valves", "each", 9120, "Flowmark"),
    ("Ball valve DN25", "Valves", "each", 3360, "Flowmark"),
    (
        "LED high bay lamp 150 W",
        "Lighting",
        "each",
        11480,
        "Lumenor",
    ),
    ("Emergency exit battery", "", "each", 2755, "Lumenor"),
];
