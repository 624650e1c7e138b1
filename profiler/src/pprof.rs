//! The tasks as a profile of pprof: its protocol buffer, written by hand, since
//! a writer of seven messages is shorter than a schema compiler.
//!
//! Locations, functions and strings have numbers from 1, in the order in which
//! they appear; a sample names its locations with the leaf first.

use std::collections::HashMap;
use std::hash::Hash;

use gmp_executor::snapshot::Status;

use crate::groups::Group;
use crate::profile::Taken;
use crate::symbols::Resolver;
use crate::{frames, labels};

/// A message as it grows: fields in protobuf's wire form.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// A number; 0 is what an absent field means.
    fn number(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.varint(field << 3);
            self.varint(value);
        }
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, fill: impl FnOnce(&mut Message)) {
        let mut inner = Message::default();
        fill(&mut inner);
        self.bytes(field, &inner.0);
    }

    fn packed(&mut self, field: u64, values: &[u64]) {
        self.message(field, |inner| {
            values.iter().for_each(|&value| inner.varint(value));
        });
    }
}

/// Numbers for things, in the order in which they come.
struct Numbers<T> {
    numbers: HashMap<T, u64>,
    in_order: Vec<T>,
}

impl<T: Clone + Eq + Hash> Numbers<T> {
    fn new() -> Numbers<T> {
        Numbers {
            numbers: HashMap::new(),
            in_order: Vec::new(),
        }
    }

    /// The thing's number, from 1.
    fn of(&mut self, thing: T) -> u64 {
        *self.numbers.entry(thing).or_insert_with_key(|thing| {
            self.in_order.push(thing.clone());
            self.in_order.len() as u64
        })
    }
}

/// Name and file.
type Function = (String, String);

/// The whole profile; `count` is the name of its first sample type.
pub(crate) fn encode(groups: &[Group], taken: &Taken, count: &str) -> Vec<u8> {
    let mut strings = Numbers::new();
    let mut functions: Numbers<Function> = Numbers::new();
    let mut locations: Numbers<(u64, u32)> = Numbers::new();
    let mut profile = Message::default();

    let types = [
        (count, "count"),
        ("wait", "nanoseconds"),
        ("space", "bytes"),
    ];
    for (name, unit) in types {
        let (name, unit) = (strings.of(name.to_owned()), strings.of(unit.to_owned()));
        profile.message(1, |value_type| {
            value_type.number(1, name);
            value_type.number(2, unit);
        });
    }
    let mut resolver = Resolver::default();
    for group in groups {
        let frames = group.frames(&mut resolver).into_iter();
        let stack: Vec<u64> = frames
            .map(|frame| {
                let name = frame.distinct().into_owned();
                let function = functions.of((name, frame.file.into_owned()));
                locations.of((function, frame.line))
            })
            .collect();
        let state = ("state".to_owned(), frames::status(&group.task).to_owned());
        let waits = group.task.status == Status::Waiting;
        let reason = waits.then(|| ("reason".to_owned(), group.state().into_owned()));
        let own = group.labels();
        let own = own.iter().map(|(key, value)| {
            (
                labels::beside(&["state", "reason"], key).into_owned(),
                value.to_owned(),
            )
        });
        let labels: Vec<_> = std::iter::once(state)
            .chain(reason)
            .chain(own)
            .map(|(key, value)| (strings.of(key), strings.of(value)))
            .collect();
        profile.message(2, |sample| {
            sample.packed(1, &stack);
            let wait = group.waiting_ms.saturating_mul(1_000_000);
            sample.packed(2, &[group.count, wait, group.bytes]);
            for (key, value) in labels {
                sample.message(3, |label| {
                    label.number(1, key);
                    label.number(2, value);
                });
            }
        });
    }
    // The mapping claims that all is symbolized, or pprof would look for the
    // program and its symbols.
    let program = std::env::current_exe().unwrap_or_default();
    let program = strings.of(program.to_string_lossy().into_owned());
    profile.message(3, |mapping| {
        mapping.number(1, 1);
        mapping.number(5, program);
        (7..=10).for_each(|has| mapping.number(has, 1));
    });
    for (at, &(function, line)) in locations.in_order.iter().enumerate() {
        profile.message(4, |location| {
            location.number(1, at as u64 + 1);
            location.number(2, 1);
            location.message(4, |place| {
                place.number(1, function);
                place.number(2, u64::from(line));
            });
        });
    }
    for (at, (name, file)) in functions.in_order.into_iter().enumerate() {
        let (name, file) = (strings.of(name), strings.of(file));
        profile.message(5, |function| {
            function.number(1, at as u64 + 1);
            function.number(2, name);
            function.number(3, name);
            function.number(4, file);
        });
    }
    profile.number(9, taken.unix_nanos());
    let (kind, unit) = (strings.of(count.to_owned()), strings.of("count".to_owned()));
    profile.message(11, |period_type| {
        period_type.number(1, kind);
        period_type.number(2, unit);
    });
    profile.number(12, 1);
    // Not the duration, by which a reader would divide the waits.
    let shot = strings.of(taken.line());
    profile.packed(13, &[shot]);
    profile.number(14, kind);
    // String 0 is the empty one.
    profile.bytes(6, b"");
    for string in &strings.in_order {
        profile.bytes(6, string.as_bytes());
    }
    profile.0
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn numbers_take_seven_bits_a_byte() {
        let mut message = Message::default();
        message.number(1, 300);
        message.number(2, 0);
        message.packed(3, &[1, 128]);
        assert_eq!(message.0, [0x08, 0xac, 0x02, 0x1a, 0x03, 0x01, 0x80, 0x01]);
    }
}
