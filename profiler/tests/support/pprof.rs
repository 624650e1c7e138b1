//! A reader of pprof's format, by the numbers of its schema.

use std::collections::HashMap;

/// A profile.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) types: Vec<String>,
    /// The sample type that a reader shows first.
    pub(crate) default: String,
    pub(crate) samples: Vec<Sample>,
    pub(crate) comments: Vec<String>,
}

/// Equal tasks.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The leaf first.
    pub(crate) frames: Vec<Frame>,
    /// One for each type.
    pub(crate) values: Vec<u64>,
    /// Keys and values.
    pub(crate) labels: Vec<(String, String)>,
}

/// One line of a stack.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) function: String,
    pub(crate) file: String,
    pub(crate) line: u64,
}

/// Reads a profile; every number in it must name something.
#[track_caller]
pub(crate) fn read(bytes: &[u8]) -> Profile {
    let profile = fields(bytes);
    let strings: Vec<&str> = messages(&profile, 6)
        .map(|text| std::str::from_utf8(text).expect("text"))
        .collect();
    assert_eq!(strings[0], "");
    let text = |index: u64| strings[usize::try_from(index).expect("an index")].to_owned();
    let functions: HashMap<u64, (String, String)> = messages(&profile, 5)
        .map(fields)
        .map(|function| {
            let name = text(number(&function, 2));
            (number(&function, 1), (name, text(number(&function, 4))))
        })
        .collect();
    let locations: HashMap<u64, Frame> = messages(&profile, 4)
        .map(|location| {
            let location = fields(location);
            assert_eq!(number(&location, 2), 1, "the one mapping");
            let line = fields(messages(&location, 4).next().expect("a line"));
            let (function, file) = functions[&number(&line, 1)].clone();
            let line = number(&line, 2);
            let frame = Frame {
                function,
                file,
                line,
            };
            (number(&location, 1), frame)
        })
        .collect();
    let samples = messages(&profile, 2).map(|sample| {
        let sample = fields(sample);
        let packed = |field| varints(messages(&sample, field).next().expect("numbers"));
        let frames = packed(1).into_iter().map(|at| locations[&at].clone());
        let labels = messages(&sample, 3).map(fields);
        Sample {
            frames: frames.collect(),
            values: packed(2),
            labels: labels
                .map(|label| (text(number(&label, 1)), text(number(&label, 2))))
                .collect(),
        }
    });
    let profile = Profile {
        types: messages(&profile, 1)
            .map(|kind| text(number(&fields(kind), 1)))
            .collect(),
        default: text(number(&profile, 14)),
        samples: samples.collect(),
        comments: messages(&profile, 13).flat_map(varints).map(text).collect(),
    };
    let [comment] = &profile.comments[..] else {
        panic!("one comment: {:?}", profile.comments);
    };
    assert!(comment.starts_with("gmp snapshot mode="), "{comment}");
    for sample in &profile.samples {
        let (key, _) = sample.labels.first().expect("a label");
        assert_eq!(key, "state", "{sample:?}");
    }
    profile
}

/// The fields of a protobuf message: a number or bytes each.
#[derive(Debug)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (&byte, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn varints(mut bytes: &[u8]) -> Vec<u64> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        found.push(varint(&mut bytes));
    }
    found
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            2 => {
                let len = usize::try_from(varint(&mut bytes)).expect("a length");
                let (field, rest) = bytes.split_at(len);
                bytes = rest;
                Field::Bytes(field)
            }
            other => panic!("wire type {other}"),
        };
        found.push((key >> 3, field));
    }
    found
}

fn messages<'a>(fields: &'a [(u64, Field<'a>)], number: u64) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter_map(move |(n, field)| match field {
        Field::Bytes(bytes) if *n == number => Some(*bytes),
        _ => None,
    })
}

fn number(fields: &[(u64, Field<'_>)], wanted: u64) -> u64 {
    let found = fields.iter().find_map(|(n, field)| match field {
        Field::Number(value) if *n == wanted => Some(*value),
        _ => None,
    });
    found.unwrap_or(0)
}
