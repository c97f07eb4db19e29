//! Texts with `{fields}` in them.

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// It stands for itself.
    Literal(&'t str),
    /// The field of this name.
    Field(&'t str),
}

/// The parts of a text: `{name}` is a field where the name is one; any other brace stands for itself.
#[must_use]
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        let close = from.find('}');
        let name = close.and_then(|close| from.get(1..close));
        let is_name = |name: &&str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        };
        match (name.filter(is_name), close) {
            (Some(name), Some(close)) => {
                pieces.push(Piece::Literal(before));
                pieces.push(Piece::Field(name));
                rest = &from[close + 1..];
            }
            _ => {
                pieces.push(Piece::Literal(&rest[..=open]));
                rest = &rest[open + 1..];
            }
        }
    }
    pieces.push(Piece::Literal(rest));
    pieces
}
