//! Schemas of copies, without a server.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use harrier_proto::common::KeyValuePair;
use harrier_proto::schema::{ValueField, value_field};
use proptest::prelude::*;

use super::*;

fn field(id: i64, name: &str, data_type: DataType) -> FieldSchema {
    FieldSchema { field_id: id, name: name.into(), data_type: data_type as i32, ..FieldSchema::default() }
}

fn with_param(mut field: FieldSchema, key: &str, value: &str) -> FieldSchema {
    field.type_params.push(KeyValuePair { key: key.into(), value: value.into() });
    field
}

/// As the catalog of a source holds it: unsorted, with system fields and the dynamic one.
fn source() -> CollectionSchema {
    let mut id = field(100, "id", DataType::Int64);
    id.is_primary_key = true;
    let mut dynamic = field(102, "$meta", DataType::Json);
    dynamic.is_dynamic = true;
    CollectionSchema {
        name: "orders".into(),
        db_name: "sales".into(),
        enable_dynamic_field: true,
        fields: vec![
            field(1, "Timestamp", DataType::Int64),
            dynamic,
            with_param(field(101, "v", DataType::FloatVector), "dim", "8"),
            id,
            field(0, "RowID", DataType::Int64),
        ],
        ..CollectionSchema::default()
    }
}

#[test]
fn only_user_fields_are_asked_for_in_the_order_of_their_ids() {
    let copy = for_target(&source(), "orders_copy").unwrap();
    let names: Vec<_> = copy.fields.iter().map(|field| (field.field_id, field.name.as_str())).collect();
    assert_eq!(names, [(100, "id"), (101, "v")]);
    assert_eq!((copy.name.as_str(), copy.db_name.as_str()), ("orders_copy", ""));
    assert!(copy.enable_dynamic_field);
}

#[test]
fn ids_that_the_target_would_not_give_are_refused_by_name() {
    let mut gap = source();
    gap.fields[2].field_id = 103;
    let reason = for_target(&gap, "x").unwrap_err();
    assert!(reason.contains("`v`") && reason.contains("103") && reason.contains("101"), "{reason}");

    // A field added later stands behind the dynamic one.
    let mut added = source();
    added.fields.push(field(103, "late", DataType::Int64));
    assert!(for_target(&added, "x").unwrap_err().contains("`late`"));
}

#[test]
fn a_copy_fits_its_source() {
    assert_eq!(first_difference(&source(), &for_target(&source(), "copy").unwrap()), None);
}

#[test]
fn the_first_difference_is_named() {
    let change = |change: fn(&mut CollectionSchema)| {
        let mut target = for_target(&source(), "copy").unwrap();
        change(&mut target);
        first_difference(&source(), &target).unwrap()
    };
    for (found, words) in [
        (change(|t| t.fields[1].type_params[0].value = "16".into()), "field `v`: dim is 8 at the source, 16"),
        (change(|t| t.fields[1].data_type = DataType::BinaryVector as i32), "type is FloatVector"),
        (change(|t| t.fields[1].name = "w".into()), "field 101 is `v` at the source, `w`"),
        (change(|t| t.fields[0].auto_id = true), "`id`: autoID is false"),
        (change(|t| t.fields[1].field_id = 107), "field id is 101"),
        (change(|t| t.enable_dynamic_field = false), "dynamic field: true at the source, false"),
        (change(|t| drop(t.fields.pop())), "`v` is missing at the target"),
        (change(|t| t.fields.push(field(102, "x", DataType::Bool))), "`x` is only at the target"),
        (
            change(|t| {
                t.fields[1].default_value = Some(ValueField { data: Some(value_field::Data::LongData(1)) });
            }),
            "default values differ",
        ),
    ] {
        assert!(found.contains(words), "{found}");
    }
}

#[test]
fn a_parameter_that_only_tunes_is_no_difference() {
    let mut target = for_target(&source(), "copy").unwrap();
    target.fields[1].type_params.push(KeyValuePair { key: "mmap.enabled".into(), value: "true".into() });
    assert_eq!(first_difference(&source(), &target), None);
}

proptest! {
    #[test]
    fn the_order_in_the_catalog_does_not_matter(order in Just(vec![0usize, 1, 2, 3, 4]).prop_shuffle()) {
        let mut shuffled = source();
        shuffled.fields = order.iter().map(|place| source().fields[*place].clone()).collect();
        prop_assert_eq!(for_target(&shuffled, "copy"), for_target(&source(), "copy"));
        prop_assert_eq!(first_difference(&shuffled, &source()), None);
    }
}
