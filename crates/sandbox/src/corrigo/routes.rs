//! From a request to what it asks for.

use http::{HeaderMap, Method, StatusCode};
use serde_json::{Map, Value as Json, json};

use super::{
    enums::ENTITY_TYPES,
    errors::{ApiError, Result},
    locator,
    query::{
        self,
        parse::{Query, member},
        project::{Selection, Surprise},
    },
    schema::Entity,
    tenant::Tenant,
    value::Key,
};

/// A request, read.
pub(super) struct Request<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// What the simulator is.
pub(super) struct House<'a> {
    pub(super) company: &'a str,
    pub(super) host: &'a str,
    pub(super) ceiling: usize,
    pub(super) surprise: Surprise,
}

/// An answer, with what the record of requests wants to know.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Json,
    pub(super) entity: Option<&'static str>,
    pub(super) rows: usize,
    pub(super) scanned: u64,
}

impl Answer {
    fn of(body: Json, rows: usize) -> Self {
        Self {
            status: StatusCode::OK,
            body,
            entity: None,
            rows,
            scanned: 0,
        }
    }
}

impl Request<'_> {
    /// Returns a parameter of the query string, whatever its case.
    fn parameter(&self, name: &str) -> Option<&str> {
        let found = self
            .parameters
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the caller's request id.
    pub(super) fn id(&self) -> Option<Json> {
        let parsed: Option<Json> = serde_json::from_slice(self.body).ok();
        let in_body = parsed
            .as_ref()
            .and_then(Json::as_object)
            .and_then(|body| member(body, "RequestId"));
        in_body
            .cloned()
            .or_else(|| self.parameter("requestId").map(|text| json!(text)))
    }

    fn object(&self) -> Result<Map<String, Json>> {
        if self.body.is_empty() {
            return Err(ApiError::empty_input("body"));
        }
        match serde_json::from_slice(self.body) {
            Ok(Json::Object(body)) => Ok(body),
            Ok(_) => Err(ApiError::parsing("The body is not an object.")),
            Err(error) => Err(ApiError::parsing(format!(
                "The body is not valid JSON: {error}"
            ))),
        }
    }

    /// Checks the `CompanyName` header.
    pub(super) fn check_company(&self, company: &str, discovery: bool) -> Result<()> {
        let name = self
            .headers
            .get("CompanyName")
            .and_then(|value| value.to_str().ok());
        match name {
            None => Err(ApiError::empty_input("CompanyName")),
            Some(name) if name == company => Ok(()),
            Some(_) if discovery => Err(ApiError::bad(
                "BUSINESS_LOGIC_ERROR",
                "The company was not found.",
            )),
            Some(_) => Err(mismatch()),
        }
    }
}

/// The refusal of a host that doesn't serve the company.
pub(super) fn mismatch() -> ApiError {
    ApiError::bad(
        "DATABASE_VERSION_MISMATCH",
        "Database version does not match.",
    )
}

/// Answers a request whose headers were found good.
pub(super) fn answer(request: &Request<'_>, house: &House<'_>, tenant: &Tenant) -> Result<Answer> {
    let lower = request.path.to_ascii_lowercase();
    let form = tenant.switches().url_form;
    if lower == locator::COMMAND {
        require(request, &Method::POST)?;
        let result = locator::command(&request.object()?, house.company, house.host, form)?;
        return Ok(Answer::of(json!({"CommandResult": result}), 1));
    }
    if lower.starts_with(locator::GET_FORM) {
        require(request, &Method::GET)?;
        let name = request.path.rsplit('/').next().unwrap_or_default();
        let name =
            url::form_urlencoded::parse(format!("n={}", name.replace('+', "%2B")).as_bytes())
                .next()
                .map_or_else(String::new, |(_, name)| name.into_owned());
        let rest = request
            .parameter("apiType")
            .is_some_and(|kind| kind.eq_ignore_ascii_case("REST"));
        let result = locator::answer(&name, house.company, house.host, (form, rest))?;
        return Ok(Answer::of(json!({"CommandResult": result}), 1));
    }
    let segments: Vec<&str> = request
        .path
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let kind = segments.get(2).map(|part| part.to_ascii_lowercase());
    match (kind.as_deref(), segments.get(3), segments.get(4)) {
        (Some("query"), Some(entity), None) => run_query(request, house, tenant, entity),
        (Some("base"), Some(entity), id) => base(request, house, tenant, (entity, id.copied())),
        (Some("cmd" | "batch"), Some(name), _) => Err(ApiError::bad(
            "COMMAND_NOT_FOUND",
            format!("Command '{name}' was not found."),
        )),
        _ => Err(ApiError::not_found_route()),
    }
}

fn require(request: &Request<'_>, method: &Method) -> Result<()> {
    if request.method == method {
        Ok(())
    } else {
        Err(ApiError::method_not_allowed())
    }
}

fn find_entity(name: &str) -> Result<Entity> {
    Entity::find(name).ok_or_else(|| {
        let known = ENTITY_TYPES
            .iter()
            .find(|known| known.eq_ignore_ascii_case(name));
        known.map_or_else(
            || ApiError::unknown_entity(name),
            |known| ApiError::no_operation(known, "Retrieve"),
        )
    })
}

fn run_query(
    request: &Request<'_>,
    house: &House<'_>,
    tenant: &Tenant,
    entity: &str,
) -> Result<Answer> {
    require(request, &Method::POST)?;
    let schema = find_entity(entity)?.schema();
    let query = Query::parse(schema, &request.object()?, tenant)?;
    let found = query::run(tenant, schema, &query, house.ceiling)?;
    let render = |key: &Key| json!({"Data": query.selection.render(tenant, *key, house.surprise)});
    let rows: Vec<Json> = found.keys.iter().map(render).collect();
    Ok(Answer {
        entity: Some(schema.name),
        scanned: found.scanned,
        ..Answer::of(json!({"Entities": rows}), found.keys.len())
    })
}

fn base(
    request: &Request<'_>,
    house: &House<'_>,
    tenant: &Tenant,
    (name, id): (&str, Option<&str>),
) -> Result<Answer> {
    if request.method == Method::GET {
        return read_one(request, house, tenant, (name, id));
    }
    let entity = find_entity(name).map(|entity| entity.schema().name);
    if request.method == Method::PUT {
        return match (entity, id) {
            (_, Some(_)) => Err(ApiError::method_not_allowed()),
            (entity, None) => Err(ApiError::no_operation(entity?, "Update")),
        };
    }
    if request.method == Method::DELETE {
        return Err(ApiError::no_operation(entity?, "Delete"));
    }
    require(request, &Method::POST)?;
    let has_command = ["WorkOrder", "WorkZone", "Space", "MaterialTransaction"];
    if let Some(name) = has_command
        .iter()
        .find(|own| own.eq_ignore_ascii_case(name))
    {
        return Err(ApiError::bad(
            "CUSTOM_COMMAND_ERROR",
            format!("Use POST /cmd/{name}/Create instead."),
        ));
    }
    Err(ApiError::no_operation(entity?, "Create"))
}

fn read_one(
    request: &Request<'_>,
    house: &House<'_>,
    tenant: &Tenant,
    (name, id): (&str, Option<&str>),
) -> Result<Answer> {
    let entity = find_entity(name)?;
    let schema = entity.schema();
    let id = id
        .or_else(|| request.parameter("ID"))
        .filter(|id| !id.is_empty())
        .ok_or_else(|| ApiError::bad("IDENTIFIER_NOT_FOUND", "Identifier was not found."))?;
    let paths: Vec<String> = request
        .parameter("properties")
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect();
    let selection = Selection::parse(schema, &paths)?;
    let key = find_key(tenant, entity, id)?.ok_or_else(|| ApiError::no_record(schema.name, id))?;
    let data = selection.render(tenant, key, house.surprise);
    Ok(Answer {
        entity: Some(schema.name),
        scanned: 1,
        ..Answer::of(json!({"Data": data}), 1)
    })
}

fn find_key(tenant: &Tenant, entity: Entity, id: &str) -> Result<Option<Key>> {
    let schema = entity.schema();
    if entity == Entity::AssetTree {
        let parsed: Option<Json> = serde_json::from_str(id).ok();
        let both = parsed.as_ref().and_then(Json::as_object).map(|object| {
            let number = |name| {
                member(object, name)
                    .and_then(Json::as_u64)
                    .and_then(|n| u32::try_from(n).ok())
            };
            (number("ParentId"), number("ChildId"))
        });
        let Some((Some(parent), Some(child))) = both else {
            return Err(ApiError::bad(
                "IDENTIFIER_NOT_FOUND",
                "ParentId and ChildId are needed.",
            ));
        };
        let key = Key::pair(parent, child);
        return Ok(tenant.tree_row(key).map(|_| key));
    }
    let number: i64 = id
        .parse()
        .map_err(|_| ApiError::parsing(format!("Identifier '{id}' is not a number.")))?;
    let direct = u32::try_from(number).ok().map(Key::of);
    let direct = direct.filter(|key| number > 0 && schema.id_of(tenant, *key) == number);
    Ok(direct.or_else(|| {
        (schema.rows)(tenant)
            .into_iter()
            .find(|key| schema.id_of(tenant, *key) == number)
    }))
}
