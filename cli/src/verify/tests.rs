//! Rows out of columns, and the words of a report.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use harrier_proto::schema::{
    FieldData, FloatArray, LongArray, ScalarField, StringArray, VectorField, field_data, scalar_field,
    vector_field,
};
use proptest::prelude::*;

use super::api::Task;
use super::key::Key;
use super::report::{Difference, Outcome, Report, Verdict};
use super::row::{first_difference, hashes};
use super::scope::{Name, Pair};

fn scalar(name: &str, data: scalar_field::Data) -> FieldData {
    let field = field_data::Field::Scalars(ScalarField { data: Some(data) });
    FieldData { field_name: name.to_owned(), field: Some(field), ..FieldData::default() }
}

/// Columns of rows: an integer key, a text and a vector of two numbers.
fn columns(rows: &[(i64, &str, [f32; 2])]) -> Vec<FieldData> {
    let vectors = rows.iter().flat_map(|row| row.2).collect();
    let vector =
        VectorField { dim: 2, data: Some(vector_field::Data::FloatVector(FloatArray { data: vectors })) };
    vec![
        scalar(
            "id",
            scalar_field::Data::LongData(LongArray { data: rows.iter().map(|row| row.0).collect() }),
        ),
        scalar(
            "text",
            scalar_field::Data::StringData(StringArray {
                data: rows.iter().map(|row| row.1.to_owned()).collect(),
            }),
        ),
        FieldData {
            field_name: "vector".to_owned(),
            field: Some(field_data::Field::Vectors(vector)),
            ..FieldData::default()
        },
    ]
}

#[test]
fn a_hash_depends_on_every_bit_of_a_row_and_not_on_its_place_or_the_order_of_columns() {
    let rows = [(1, "a", [1.0, 2.0]), (2, "b", [0.0, f32::NAN])];
    let mut swapped = columns(&[rows[1], rows[0]]);
    swapped.reverse();
    assert_eq!(hashes(&columns(&rows), "id").unwrap(), hashes(&swapped, "id").unwrap());
    let of = |row: (i64, &str, [f32; 2])| hashes(&columns(&[row]), "id").unwrap()[&Key::Int(row.0)];
    let base = of((1, "a", [0.0, 2.0]));
    for other in
        [(1, "b", [0.0, 2.0]), (1, "a", [-0.0, 2.0]), (1, "a", [0.0, 2.0000002]), (1, "", [0.0, 2.0])]
    {
        assert_ne!(of(other), base, "{other:?}");
    }
}

#[test]
fn a_null_is_not_the_value_that_stands_in_its_place() {
    let mut with_null = columns(&[(1, "", [0.0, 0.0])]);
    with_null[1].valid_data = vec![false];
    assert_ne!(hashes(&with_null, "id").unwrap(), hashes(&columns(&[(1, "", [0.0, 0.0])]), "id").unwrap());
}

#[test]
fn an_answer_that_is_no_table_is_an_error_and_no_panic() {
    assert_eq!(hashes(&[], "id").unwrap(), BTreeMap::new());
    let mut short = columns(&[(1, "a", [0.0, 0.0]), (2, "b", [0.0, 0.0])]);
    short[1] = columns(&[(1, "a", [0.0, 0.0])])[1].clone();
    assert!(hashes(&short, "id").unwrap_err().0.contains("text"));
    assert!(hashes(&short[1..], "id").is_err());
}

#[test]
fn the_first_field_that_differs_is_named_with_both_values() {
    let ours = columns(&[(1, "a", [0.0, 0.0]), (2, "b", [0.0, 1.0])]);
    let theirs = columns(&[(2, "c", [0.0, 1.0])]);
    let found = first_difference(&Key::Int(2), (&ours, &theirs), "id").unwrap();
    assert_eq!(found, ("text".to_owned(), "\"b\"".to_owned(), "\"c\"".to_owned()));
    assert_eq!(first_difference(&Key::Int(1), (&ours, &theirs), "id"), None);
}

proptest! {
    #[test]
    fn no_columns_panic(dim in -1..9_i64, floats in 0..9_usize, keys in 0..9_i64) {
        let vector = VectorField {
            dim,
            data: Some(vector_field::Data::FloatVector(FloatArray { data: vec![1.0; floats] })),
        };
        let keys = scalar("id", scalar_field::Data::LongData(LongArray { data: (0..keys).collect() }));
        let field = Some(field_data::Field::Vectors(vector));
        let _ = hashes(&[keys, FieldData { field_name: "v".into(), field, ..FieldData::default() }], "id");
    }
}

fn report(outcomes: Vec<Outcome>) -> Report {
    let task = Task {
        id: "t".into(),
        state: "Running".into(),
        target_uri: String::new(),
        ignore_partition: false,
        selection: Default::default(),
        pairs: Vec::new(),
        held: BTreeMap::new(),
        passed_over: Default::default(),
    };
    let mut report = Report::new(&task, 1 << 18);
    outcomes.into_iter().for_each(|outcome| report.collection(outcome));
    report
}

fn outcome(name: &str) -> Outcome {
    let name = Name { db: "default".into(), collection: name.into() };
    Outcome::of(&Pair { source_id: 1, source: name.clone(), target: name })
}

#[test]
fn the_verdict_is_that_of_the_worst_collection() {
    assert_eq!(report(vec![outcome("a")]).verdict(), Verdict::Equal);
    let mut open = outcome("b");
    open.incomplete = Some("its rows: it is not loaded at the target".into());
    let mut gone = outcome("c");
    gone.gone = true;
    let incomplete = report(vec![outcome("a"), open, gone]);
    assert_eq!(incomplete.verdict(), Verdict::Incomplete);
    let text = incomplete.text(5);
    assert!(
        text.contains("incomplete  default.b: 0 rows\n") && text.contains("not loaded at the target"),
        "{text}"
    );
    assert!(
        !text.contains("default.c") && text.ends_with("no difference found: 2 collections, 0 rows\n"),
        "{text}"
    );
    let mut different = outcome("d");
    different.differences = (0..7).map(|number| Difference::of(format!("difference {number}"))).collect();
    let different = report(vec![different]);
    assert_eq!(different.verdict(), Verdict::Different);
    let text = different.text(5);
    assert!(text.contains("difference 4\n") && !text.contains("difference 5\n"), "{text}");
    assert!(text.contains("7 differences in all"), "{text}");
}
