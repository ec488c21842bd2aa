//! Makes a plant out of a seed.

use chrono::{Days, NaiveDate};
use rust_decimal::Decimal;

use super::{
    Asset, CATEGORIES, Category, Part, Person, Place, PlaceKind, Plant, PlantOptions,
    PurchaseOrder, PurchaseOrderLine, PurchaseOrderState, Rng, Role, Site, TRADES, Vendor,
    names::{BUILDINGS, FIRST, LAST, PARTS, ROOMS, SITES, VENDORS},
    orders,
};

const PLACES: u64 = 1;
const PEOPLE: u64 = 2;
const VENDOR: u64 = 3;
const PART: u64 = 4;
const PURCHASE: u64 = 5;
const FIRST_PLACE: u32 = 1001;
const FIRST_ACTOR: u32 = 101;
const FIRST_PART: u32 = 501;
const FIRST_PURCHASE: u32 = 301;

impl Plant {
    /// Generates a plant. The same options give the same plant.
    ///
    /// Three and more sites; one record of each removable kind is removed from the start.
    #[must_use]
    pub fn generate(options: &PlantOptions) -> Self {
        let mut plant = Self {
            now: options.now,
            sites: Vec::new(),
            places: Vec::new(),
            assets: Vec::new(),
            people: Vec::new(),
            vendors: Vec::new(),
            parts: Vec::new(),
            purchase_orders: Vec::new(),
            work_orders: Vec::new(),
        };
        let seed = options.seed;
        plant.build_sites(3 + (options.work_orders / 20_000).min(SITES.len() - 3));
        for site in 0..plant.sites.len() {
            plant.build_tree(site, &mut Rng::for_record(seed, PLACES, site as u64));
        }
        plant.build_template();
        plant.build_people(&mut Rng::for_record(seed, PEOPLE, 0));
        plant.build_vendors(&mut Rng::for_record(seed, VENDOR, 0));
        plant.build_parts(&mut Rng::for_record(seed, PART, 0));
        plant.build_purchase_orders(&mut Rng::for_record(seed, PURCHASE, 0));
        orders::generate(&mut plant, seed, options.work_orders);
        plant.retire_a_few();
        plant
    }

    fn build_sites(&mut self, count: usize) {
        for (id, seed) in (1_u32..).zip(SITES.iter().take(count)) {
            self.sites.push(Site {
                id,
                code: seed.code.to_owned(),
                name: seed.name.to_owned(),
                street: seed.street.to_owned(),
                city: seed.city.to_owned(),
                state: seed.state.to_owned(),
                postal_code: seed.postal_code.to_owned(),
                country: seed.country,
                phone: format!("+1 555 01{:02}", 10 + id),
                time_zone: seed.zone,
                currency: seed.currency,
                occupant: seed.occupant.to_owned(),
                root: 0,
                next_number: 1,
                revision: 1,
            });
        }
    }

    /// Returns the next free id of places and assets.
    pub(super) fn next_location_id(&self) -> u32 {
        let place = self.places.last().map_or(0, |row| row.id);
        let asset = self.assets.last().map_or(0, |row| row.id);
        (place.max(asset) + 1).max(FIRST_PLACE)
    }

    /// Returns the next free id of people and vendors.
    pub(super) fn next_actor_id(&self) -> u32 {
        let person = self.people.last().map_or(0, |row| row.id);
        let vendor = self.vendors.last().map_or(0, |row| row.id);
        (person.max(vendor) + 1).max(FIRST_ACTOR)
    }

    fn add_place(&mut self, site: u32, parent: Option<u32>, kind: PlaceKind, name: &str) -> u32 {
        let id = self.next_location_id();
        self.places.push(Place {
            id,
            site,
            parent,
            kind,
            name: name.to_owned(),
            template: false,
        });
        id
    }

    fn build_tree(&mut self, site: usize, rng: &mut Rng) {
        let (id, name) = (self.sites[site].id, self.sites[site].name.clone());
        let root = self.add_place(id, None, PlaceKind::Site, &name);
        self.sites[site].root = root;
        for building in &BUILDINGS[..2 + rng.below(3) as usize] {
            let building_id = self.add_place(id, Some(root), PlaceKind::Building, building);
            for level in 1..=rng.between(1, 2) {
                let floor = self.add_place(
                    id,
                    Some(building_id),
                    PlaceKind::Floor,
                    &format!("Level {level}"),
                );
                for _ in 0..rng.between(3, 5) {
                    let name = *rng.pick(ROOMS);
                    let room = self.add_place(id, Some(floor), PlaceKind::Room, name);
                    for _ in 0..rng.between(1, 3) {
                        let category = rng.pick(CATEGORIES);
                        self.build_asset(id, room, category, rng);
                    }
                }
            }
        }
    }

    /// Adds a machine with its components and returns the machine's id.
    pub(super) fn build_asset(
        &mut self,
        site: u32,
        place: u32,
        category: &'static Category,
        rng: &mut Rng,
    ) -> u32 {
        let machine = self.build_node(site, place, category, rng);
        let name = self
            .asset(machine)
            .map_or_else(String::new, |row| row.name.clone());
        for component in category.components {
            if !rng.percent(60) {
                continue;
            }
            let id = self.build_node(site, place, category, rng);
            if let Some(part) = self.asset_mut(id) {
                part.parent = Some(machine);
                part.name = format!("{name} {component}");
                part.description = format!("{component} of {name}");
            }
        }
        machine
    }

    fn build_node(
        &mut self,
        site: u32,
        place: u32,
        category: &'static Category,
        rng: &mut Rng,
    ) -> u32 {
        let id = self.next_location_id();
        let (manufacturer, model) = *rng.pick(category.makers);
        let installed = self
            .now
            .date_naive()
            .checked_sub_days(Days::new(u64::from(rng.between(200, 5000))));
        let serial = rng.below(90_000_000) + 10_000_000;
        self.assets.push(Asset {
            id,
            site,
            place,
            parent: None,
            name: format!("{}-{:03}", category.prefix, id - FIRST_PLACE + 1),
            description: format!("{} {manufacturer} {model}", category.name),
            category,
            manufacturer: manufacturer.to_owned(),
            model: model.to_owned(),
            serial_number: if rng.percent(90) {
                format!("SN{serial}")
            } else {
                String::new()
            },
            tag: format!("{:06}", id * 7),
            installed_on: installed.filter(|_| rng.percent(85)),
            warranty_end: installed
                .and_then(|day| day.checked_add_days(Days::new(730)))
                .filter(|_| rng.percent(60)),
            in_service: !rng.percent(4),
            removed: false,
            revision: 1 + rng.below(4),
        });
        id
    }

    fn build_template(&mut self) {
        let root = self.add_place(1, None, PlaceKind::Building, "Standard building template");
        let floor = self.add_place(1, Some(root), PlaceKind::Floor, "Standard floor");
        for id in [root, floor] {
            if let Some(place) = self.place_mut(id) {
                place.template = true;
            }
        }
    }

    fn build_people(&mut self, rng: &mut Rng) {
        for site in 1..=u32::try_from(self.sites.len()).unwrap_or_default() {
            for index in 0..rng.between(9, 13) {
                let role = match index {
                    0 => Role::Manager,
                    1 => Role::Planner,
                    2 => Role::Supervisor,
                    3 if site == 1 => Role::Administrator,
                    _ => Role::Technician,
                };
                self.build_person(site, role, rng);
            }
        }
    }

    /// Adds a person and returns the id.
    pub(super) fn build_person(&mut self, site: u32, role: Role, rng: &mut Rng) -> u32 {
        let id = self.next_actor_id();
        let (first, last) = (*rng.pick(FIRST), *rng.pick(LAST));
        let trade = rng.below(u32::try_from(TRADES.len()).unwrap_or_default());
        let ascii: String = format!("{first}.{last}{id}")
            .to_lowercase()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '.')
            .collect();
        let job_title = match role {
            Role::Technician => format!("{} technician", TRADES[trade as usize]),
            other => other.name().to_owned(),
        };
        self.people.push(Person {
            id,
            first_name: first.to_owned(),
            last_name: last.to_owned(),
            role,
            job_title,
            email: format!("{ascii}@plant.example"),
            phone: format!("+1 555 0{:03}", 100 + id % 900),
            username: ascii,
            number: format!("{:05}", id * 3),
            site,
            trade,
            removed: false,
            revision: 1 + rng.below(5),
        });
        id
    }

    fn build_vendors(&mut self, rng: &mut Rng) {
        for (name, supplier) in VENDORS {
            self.build_vendor(name, *supplier, rng);
        }
    }

    /// Adds a vendor and returns the id.
    pub(super) fn build_vendor(&mut self, name: &str, supplier: bool, rng: &mut Rng) -> u32 {
        let id = self.next_actor_id();
        let seed = rng.pick(SITES);
        let domain: String = name
            .to_lowercase()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        self.vendors.push(Vendor {
            id,
            name: name.to_owned(),
            street: format!("{} Commerce Way", rng.between(100, 9900)),
            city: seed.city.to_owned(),
            state: seed.state.to_owned(),
            postal_code: seed.postal_code.to_owned(),
            phone: format!("+1 555 0{:03}", 100 + (id * 7) % 900),
            email: format!("service@{domain}.example"),
            tax_id: format!("{:02}-{:07}", rng.between(10, 98), rng.below(9_999_999)),
            external_id: format!("V{id:06}"),
            trade: rng.below(u32::try_from(TRADES.len()).unwrap_or_default()),
            supplier,
            removed: false,
            revision: 1 + rng.below(3),
        });
        id
    }

    fn build_parts(&mut self, rng: &mut Rng) {
        for site in 1..=u32::try_from(self.sites.len()).unwrap_or_default() {
            for index in 0..PARTS.len() {
                for _ in 0..rng.between(1, 3) {
                    self.build_part(site, index, rng);
                }
            }
        }
    }

    /// Adds a part of the list of names and returns the id.
    pub(super) fn build_part(&mut self, site: u32, stem: usize, rng: &mut Rng) -> u32 {
        let id = self.parts.last().map_or(FIRST_PART, |row| row.id + 1);
        let (name, category, unit, cents, maker) = PARTS[stem % PARTS.len()];
        let size = rng.between(1, 40);
        let cost = Decimal::new(i64::from(cents) * i64::from(80 + rng.below(50)) / 100, 2);
        let suppliers: Vec<u32> = self
            .vendors
            .iter()
            .filter(|row| row.supplier)
            .map(|row| row.id)
            .collect();
        let vendor = (!suppliers.is_empty()).then(|| *rng.pick(&suppliers));
        let minimum = Decimal::from(rng.between(1, 8));
        self.parts.push(Part {
            id,
            number: format!("{}-{:04}", name.chars().take(3).collect::<String>().to_uppercase(), 1000 + stem * 40 + size as usize),
            name: format!("{name} #{size}"),
            category: category.to_owned(),
            kind: if matches!(category, "Lubricants" | "Filters") { "Consumable" } else { "Spare" },
            manufacturer: maker.to_owned(),
            manufacturer_number: format!("{}{:05}", maker.chars().take(2).collect::<String>().to_uppercase(), rng.below(99_999)),
            barcode: format!("40{:010}", u64::from(id) * 7_919),
            vendor: vendor.filter(|_| rng.percent(90)),
            vendor_number: format!("{:07}", rng.below(9_999_999)),
            unit,
            unit_cost: rng.percent(94).then_some(cost),
            price: rng.percent(70).then(|| (cost * Decimal::new(135, 2)).round_dp(2)),
            on_hand: Decimal::from(rng.below(30)),
            minimum,
            maximum: rng.percent(75).then(|| minimum * Decimal::from(rng.between(0, 5))),
            taxable: rng.percent(60),
            notes: if rng.percent(25) {
                "Check size before ordering.\r\nOld stock may carry the previous number, see \"Keller\" list.".to_owned()
            } else {
                String::new()
            },
            site,
            store: "Main store".to_owned(),
            shelf: format!("{}-{:02}", char::from(b'A' + u8::try_from(rng.below(8)).unwrap_or_default()), rng.between(1, 30)),
            removed: false,
            revision: 1 + rng.below(6),
        });
        id
    }

    fn build_purchase_orders(&mut self, rng: &mut Rng) {
        let today = self.now.date_naive();
        for _ in 0..40 + 20 * self.sites.len() {
            let age = rng.below(900);
            let Some(day) = today.checked_sub_days(Days::new(u64::from(age))) else {
                continue;
            };
            let state = match age {
                0..=3 => PurchaseOrderState::Draft,
                4..=20 => PurchaseOrderState::Ordered,
                21..=45 => PurchaseOrderState::PartlyReceived,
                _ if rng.percent(4) => PurchaseOrderState::Cancelled,
                _ => PurchaseOrderState::Received,
            };
            self.build_purchase_order(day, state, rng);
        }
    }

    /// Adds a purchase order and returns its id; `None` when there is nothing to buy or nobody to buy from.
    pub(super) fn build_purchase_order(
        &mut self,
        day: NaiveDate,
        state: PurchaseOrderState,
        rng: &mut Rng,
    ) -> Option<u32> {
        let vendor = self
            .vendors
            .iter()
            .filter(|row| row.supplier && !row.removed)
            .nth(rng.below(4) as usize)?;
        let (vendor, site) = (
            vendor.id,
            rng.between(1, u32::try_from(self.sites.len()).ok()?),
        );
        let stock: Vec<&Part> = self
            .parts
            .iter()
            .filter(|row| row.site == site && !row.removed)
            .collect();
        if stock.is_empty() {
            return None;
        }
        let mut lines = Vec::new();
        for _ in 0..rng.between(1, 4) {
            let part = rng.pick(&stock);
            let quantity = Decimal::from(rng.between(1, 24));
            lines.push(PurchaseOrderLine {
                part: part.id,
                description: part.name.clone(),
                quantity,
                unit_price: part.unit_cost.unwrap_or(Decimal::ONE_HUNDRED),
                received: match state {
                    PurchaseOrderState::Received => quantity,
                    PurchaseOrderState::PartlyReceived => (quantity / Decimal::TWO).floor(),
                    _ => Decimal::ZERO,
                },
            });
        }
        let id = self
            .purchase_orders
            .last()
            .map_or(FIRST_PURCHASE, |row| row.id + 1);
        self.purchase_orders.push(PurchaseOrder {
            id,
            number: format!("PO-{:05}", 20_000 + id),
            vendor,
            site,
            ordered_on: day,
            deliver_by: day.checked_add_days(Days::new(u64::from(rng.between(7, 40)))),
            reference: if rng.percent(30) {
                format!("REQ {}", rng.between(1000, 9999))
            } else {
                String::new()
            },
            vendor_reference: if rng.percent(50) {
                format!("SO{}", rng.between(100_000, 999_999))
            } else {
                String::new()
            },
            state,
            lines,
            removed: false,
            revision: 1 + rng.below(3),
        });
        Some(id)
    }

    fn retire_a_few(&mut self) {
        if let Some(row) = self
            .people
            .iter_mut()
            .rev()
            .find(|row| row.role == Role::Technician)
        {
            row.removed = true;
        }
        if let Some(row) = self.vendors.iter_mut().rev().find(|row| !row.supplier) {
            row.removed = true;
        }
        if let Some(row) = self.parts.last_mut() {
            row.removed = true;
        }
        let lone = self.assets.iter().rposition(|row| {
            row.parent.is_none() && !self.assets.iter().any(|other| other.parent == Some(row.id))
        });
        if let Some(row) = lone.and_then(|at| self.assets.get_mut(at)) {
            row.removed = true;
        }
    }
}
