//! How a simulated tenant behaves.

use std::fmt;

use crate::{
    clock::SimClock,
    faults::Faults,
    plant::{Plant, PlantOptions},
};

/// What a simulator is started with.
#[derive(Clone)]
#[non_exhaustive]
pub struct CorrigoOptions {
    /// What the tenant holds.
    pub plant: Plant,
    /// Most rows that one query returns. Defaults to 4000.
    pub ceiling: usize,
    /// Exact company name. Defaults to `Example Facilities`.
    pub company: String,
    /// Accepted client id. Defaults to `sandbox-client`.
    pub client_id: String,
    /// Accepted client secret. Defaults to `sandbox-secret`.
    pub client_secret: String,
    /// The vendor's clock. Defaults to one that shows the plant's instant at the start and then runs.
    pub clock: SimClock,
    /// Behaviour that the vendor never documented.
    pub switches: Switches,
    /// Faults; give a handle of your own to prepare them before the start.
    pub faults: Faults,
}

impl CorrigoOptions {
    /// Returns options for a generated plant.
    #[must_use]
    pub fn new(seed: u64, work_orders: usize) -> Self {
        Self::with_plant(Plant::generate(&PlantOptions::new(seed, work_orders)))
    }

    /// Returns options for this plant.
    #[must_use]
    pub fn with_plant(plant: Plant) -> Self {
        Self {
            ceiling: 4000,
            company: "Example Facilities".to_owned(),
            client_id: "sandbox-client".to_owned(),
            client_secret: "sandbox-secret".to_owned(),
            clock: SimClock::running_from(plant.now),
            switches: Switches::default(),
            faults: Faults::new(),
            plant,
        }
    }
}

impl fmt::Debug for CorrigoOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorrigoOptions")
            .field("work_orders", &self.plant.work_orders.len())
            .field("ceiling", &self.ceiling)
            .field("company", &self.company)
            .field("clock", &self.clock)
            .field("switches", &self.switches)
            .finish_non_exhaustive()
    }
}

/// Form of the address that the locator gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlForm {
    /// With `ApiType` REST the base address ending in `/`, else the address of the SOAP service.
    ByApiType,
    /// Always the base address, without its scheme.
    RestWithoutScheme,
    /// Always the address of the SOAP service.
    Soap,
    /// Always the address of the SOAP service, without its scheme.
    SoapWithoutScheme,
}

/// Answer to a query for more rows than the ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverCeiling {
    /// As many rows as the ceiling allows.
    Cut,
    /// Refusal.
    Refuse,
}

/// Order of rows when a query asks for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowOrder {
    /// By Id, ascending.
    ById,
    /// Some order that is the same for the same rows, but not by Id.
    Scrambled,
}

/// Status of the answer to wrong client credentials; the body is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidClient {
    /// 400.
    BadRequest,
    /// 401.
    Unauthorized,
}

/// Behaviour that the vendor's documents leave open, one switch each; the default is what is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent question about the vendor"
)]
pub struct Switches {
    /// Form of the locator's address. Default: by `ApiType`.
    pub url_form: UrlForm,
    /// Whether the locator wants a token too. Default: true.
    pub locator_needs_token: bool,
    /// Status for wrong client credentials. Default: 400.
    pub invalid_client: InvalidClient,
    /// What happens above the ceiling. Default: cut.
    pub over_ceiling: OverCeiling,
    /// Order of rows when none is asked for. Default: by Id.
    pub row_order: RowOrder,
    /// Whether a filter through a collection repeats a row once for each match unless `Distinct` is sent. Default: true.
    pub repeats_without_distinct: bool,
    /// Whether `Like` and the comparison of texts ignore case. Default: true.
    pub text_ignores_case: bool,
    /// Whether `Between` includes both ends. Default: true.
    pub between_includes_ends: bool,
    /// Whether `NotEqual`, `NotIn`, `NotLike` and `NotBetween` find rows without a value. Default: false, as SQL does.
    pub not_finds_missing: bool,
    /// Whether offsets in the dates of a condition are converted to UTC; otherwise they are dropped. Default: true.
    pub converts_offsets: bool,
    /// Decimals of a second that the database keeps, 0 to 3. Default: 3.
    pub stored_decimals: u32,
    /// Whether a change of a child record (a mail address) moves the parent's `ConcurrencyId`. Default: false.
    pub child_change_bumps_parent: bool,
    /// Whether removed locations keep their rows above in `AssetTree`. Default: false, they are orphans.
    pub removed_locations_stay_in_tree: bool,
    /// Whether every call is answered as if it went to the wrong host, with `DATABASE_VERSION_MISMATCH`. Default: false.
    pub wrong_host: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            url_form: UrlForm::ByApiType,
            locator_needs_token: true,
            invalid_client: InvalidClient::BadRequest,
            over_ceiling: OverCeiling::Cut,
            row_order: RowOrder::ById,
            repeats_without_distinct: true,
            text_ignores_case: true,
            between_includes_ends: true,
            not_finds_missing: false,
            converts_offsets: true,
            stored_decimals: 3,
            child_change_bumps_parent: false,
            removed_locations_stay_in_tree: false,
            wrong_host: false,
        }
    }
}
