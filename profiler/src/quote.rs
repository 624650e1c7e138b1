//! Texts of a program's choice as Go quotes them, whose readers undo that.
//!
//! Go has two ways, and `strconv.Unquote` takes both: that of `strconv.Quote`, in which
//! profiles are written, and that of the runtime, which knows of no tables and writes
//! headers in ASCII.

use std::fmt::{self, Write};

/// Whose way it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// That of `strconv.Quote`: what can be printed stays.
    Strconv,
    /// That of a header of a stack: ASCII stays.
    Header,
}

/// A text between quotes.
pub(crate) struct Quoted<'a>(pub(crate) &'a str, pub(crate) Way);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c => escaped(f, c, self.1)?,
            }
        }
        f.write_char('"')
    }
}

/// A character as it stands in such a text, but for quotes and backslashes.
pub(crate) fn escaped(f: &mut impl Write, c: char, way: Way) -> fmt::Result {
    let letter = match (c, way) {
        ('\n', _) => 'n',
        ('\r', _) => 'r',
        ('\t', _) => 't',
        ('\x07', Way::Strconv) => 'a',
        ('\x08', Way::Strconv) => 'b',
        ('\x0b', Way::Strconv) => 'v',
        ('\x0c', Way::Strconv) => 'f',
        (' '..='~', _) => return f.write_char(c),
        (_, Way::Strconv) if is_printable(c) => return f.write_char(c),
        ('\x7f', Way::Strconv) | ('\0'..' ', _) => return write!(f, "\\x{:02x}", c as u32),
        ('\0'..='\u{ffff}', _) => return write!(f, "\\u{:04x}", c as u32),
        _ => return write!(f, "\\U{:08x}", c as u32),
    };
    write!(f, "\\{letter}")
}

/// Whether the character is a letter, a mark, a number, a sign or a symbol: std's table
/// says so, which it asks for all but the first character of a text. A mark that comes
/// first it escapes, and Go does not.
fn is_printable(c: char) -> bool {
    let mut text = [b'a'; 5];
    let end = 1 + c.encode_utf8(&mut text[1..]).len();
    str::from_utf8(&text[..end]).is_ok_and(|text| text.escape_debug().count() == 2)
}

#[cfg(test)]
mod tests {
    use super::{Quoted, Way};

    fn both(text: &str) -> [String; 2] {
        [Way::Strconv, Way::Header].map(|way| Quoted(text, way).to_string())
    }

    /// Source: what Go 1.26 prints for these with `%q`, and in a header of a stack.
    #[test]
    fn texts_are_quoted_as_go_does() {
        assert_eq!(both("a \"b\\"), [r#""a \"b\\""#, r#""a \"b\\""#]);
        assert_eq!(both("\n\r\t'~"), [r#""\n\r\t'~""#, r#""\n\r\t'~""#]);
        assert_eq!(
            both("\0\x01\x07\x08\x0b\x0c\x1b\x7f"),
            [
                r#""\x00\x01\a\b\v\f\x1b\x7f""#,
                r#""\x00\x01\x07\x08\x0b\x0c\x1b\u007f""#
            ]
        );
        assert_eq!(both("é世"), ["\"é世\"", r#""\u00e9\u4e16""#]);
        assert_eq!(both("\u{1f600}"), ["\"\u{1f600}\"", r#""\U0001f600""#]);
        // A mark alone, a space of no width, another space, a private one, a line's end.
        assert_eq!(both("\u{301}")[0], "\"\u{301}\"");
        assert_eq!(
            both("\u{200b}\u{a0}\u{e000}\u{2028}\u{85}\u{10ffff}")[0],
            r#""\u200b\u00a0\ue000\u2028\u0085\U0010ffff""#
        );
    }
}
