//! The schema of a copy: what to ask the target for, and whether what it has is the same. Pure.
//!
//! A log message names columns by field id, so the copy must have the ids of the source. The target
//! gives ids itself: 100, 101, ... in the order of the request, then one for the hidden field of
//! dynamic columns, which it adds by itself and refuses to be given.

use harrier_proto::schema::{CollectionSchema, DataType, FieldSchema};

/// Ids below are system fields (row id, timestamp), which every collection has by itself.
const FIRST_USER_FIELD_ID: i64 = 100;

/// Parameters that make a column another column. Others (mmap and the like) tune it.
const DEFINING_PARAMS: [&str; 3] = ["dim", "max_length", "max_capacity"];

/// The schema to create at the target for a collection of the source, under the target's name.
///
/// # Errors
/// A text that names the field whose id the target would not reproduce.
pub fn for_target(source: &CollectionSchema, name: &str) -> Result<CollectionSchema, String> {
    if !source.struct_array_fields.is_empty() {
        return Err("it has struct array fields, which no standby knows".to_owned());
    }
    let fields = user_fields(source);
    for (place, field) in (FIRST_USER_FIELD_ID..).zip(&fields) {
        if field.field_id != place {
            return Err(format!(
                "field `{}` has id {} at the source and would get {place}",
                field.name, field.field_id
            ));
        }
    }
    let dynamic = source.fields.iter().find(|field| field.is_dynamic);
    let next = (FIRST_USER_FIELD_ID..).nth(fields.len()).unwrap_or_default();
    match dynamic {
        Some(field) if field.field_id != next => {
            return Err(format!(
                "the dynamic field has id {} at the source and would get {next}",
                field.field_id
            ));
        }
        _ => {}
    }
    Ok(CollectionSchema {
        name: name.to_owned(),
        fields: fields.into_iter().map(|field| FieldSchema { state: 0, ..field.clone() }).collect(),
        enable_dynamic_field: source.enable_dynamic_field || dynamic.is_some(),
        db_name: String::new(),
        ..source.clone()
    })
}

/// The fields that a user defined, by id.
fn user_fields(schema: &CollectionSchema) -> Vec<&FieldSchema> {
    let mut fields: Vec<_> = schema
        .fields
        .iter()
        .filter(|field| field.field_id >= FIRST_USER_FIELD_ID && !field.is_dynamic)
        .collect();
    fields.sort_by_key(|field| field.field_id);
    fields
}

/// What keeps rows of `source` from being written to a collection of schema `target`, as a text that
/// names the first such difference; `None` if they fit.
pub fn first_difference(source: &CollectionSchema, target: &CollectionSchema) -> Option<String> {
    let (ours, theirs) = (user_fields(source), user_fields(target));
    for (source, target) in ours.iter().zip(&theirs) {
        if let Some(difference) = field_difference(source, target) {
            return Some(difference);
        }
    }
    if let Some(field) = ours.get(theirs.len()) {
        return Some(format!("field `{}` is missing at the target", field.name));
    }
    if let Some(field) = theirs.get(ours.len()) {
        return Some(format!("field `{}` is only at the target", field.name));
    }
    let (ours, theirs) = (has_dynamic(source), has_dynamic(target));
    (ours != theirs).then(|| format!("dynamic field: {ours} at the source, {theirs} at the target"))
}

fn has_dynamic(schema: &CollectionSchema) -> bool {
    schema.enable_dynamic_field || schema.fields.iter().any(|field| field.is_dynamic)
}

fn field_difference(source: &FieldSchema, target: &FieldSchema) -> Option<String> {
    let name = &source.name;
    let differ = |what: &str, ours: String, theirs: String| {
        Some(format!("field `{name}`: {what} is {ours} at the source, {theirs} at the target"))
    };
    if source.name != target.name {
        return Some(format!(
            "field {} is `{}` at the source, `{}` at the target",
            source.field_id, source.name, target.name
        ));
    }
    if source.field_id != target.field_id {
        return differ("the field id", source.field_id.to_string(), target.field_id.to_string());
    }
    for (what, ours, theirs) in [
        ("the type", source.data_type, target.data_type),
        ("the element type", source.element_type, target.element_type),
    ] {
        if ours != theirs {
            return differ(what, type_name(ours), type_name(theirs));
        }
    }
    for (what, ours, theirs) in [
        ("primary key", source.is_primary_key, target.is_primary_key),
        ("autoID", source.auto_id, target.auto_id),
        ("partition key", source.is_partition_key, target.is_partition_key),
        ("nullable", source.nullable, target.nullable),
    ] {
        if ours != theirs {
            return differ(what, ours.to_string(), theirs.to_string());
        }
    }
    for key in DEFINING_PARAMS {
        let (ours, theirs) = (param(source, key), param(target, key));
        if ours != theirs {
            return differ(key, ours.to_owned(), theirs.to_owned());
        }
    }
    (source.default_value != target.default_value)
        .then(|| format!("field `{name}`: the default values differ"))
}

fn param<'a>(field: &'a FieldSchema, key: &str) -> &'a str {
    field.type_params.iter().find(|pair| pair.key == key).map_or("not set", |pair| pair.value.as_str())
}

fn type_name(number: i32) -> String {
    DataType::try_from(number).map_or_else(|_| number.to_string(), |known| known.as_str_name().to_owned())
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
