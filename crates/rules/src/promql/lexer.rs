//! Tokens of an expression.

use std::iter::Peekable;
use std::str::CharIndices;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name, keyword or function.
    Word(String),
    /// A number or a duration as it is written.
    Number(String),
    /// A quoted text.
    Text(String),
    /// Everything else: `( ) { } [ ] , = != =~ !~ == < > <= >= + - * / …`
    Sign(&'static str),
}

/// Signs, longer ones first. Those after `/` are PromQL's and not part of the subset.
const SIGNS: [&str; 24] = [
    "=~", "!~", "==", "!=", "<=", ">=", "(", ")", "{", "}", "[", "]", ",", "=", "<", ">", "+", "-", "*", "/",
    "%", "^", ":", "@",
];

/// The tokens of `text`.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        if first == '#' {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else if first.is_ascii_digit()
            || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            let (number, after) = rest.split_at(number_length(rest));
            tokens.push(Token::Number(number.to_owned()));
            rest = after;
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
                .unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else if matches!(first, '"' | '\'' | '`') {
            let (text, after) = text_in_quotes(rest, first)?;
            tokens.push(Token::Text(text));
            rest = after;
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            return Err(format!("{first:?} is not expected"));
        }
    }
}

/// Length of a number with its exponent, or of a duration such as `1h30m`.
fn number_length(text: &str) -> usize {
    let mut previous = ' ';
    let belongs = |(_, c): &(usize, char)| {
        let exponent_sign = matches!(c, '+' | '-') && matches!(previous, 'e' | 'E');
        let fits = c.is_ascii_alphanumeric() || *c == '.' || exponent_sign;
        previous = *c;
        fits
    };
    text.char_indices().take_while(belongs).map(|(at, c)| at + c.len_utf8()).last().unwrap_or(0)
}

fn text_in_quotes(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut characters = text.char_indices().peekable();
    characters.next();
    let mut read = String::new();
    while let Some((at, c)) = characters.next() {
        if c == quote {
            return Ok((read, &text[at + 1..]));
        }
        if c == '\\' && quote != '`' {
            read.push(escaped(&mut characters)?);
        } else {
            read.push(c);
        }
    }
    Err("a text has no closing quote".to_owned())
}

fn escaped(characters: &mut Peekable<CharIndices<'_>>) -> Result<char, String> {
    let unknown = || "a text has an unknown escape".to_owned();
    let Some((_, c)) = characters.next() else { return Err(unknown()) };
    let digits = match c {
        'n' => return Ok('\n'),
        't' => return Ok('\t'),
        'r' => return Ok('\r'),
        'a' => return Ok('\u{7}'),
        'b' => return Ok('\u{8}'),
        'f' => return Ok('\u{c}'),
        'v' => return Ok('\u{b}'),
        '\\' | '"' | '\'' => return Ok(c),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => return Err(unknown()),
    };
    let mut code = 0;
    for _ in 0..digits {
        let digit = characters.next().and_then(|(_, c)| c.to_digit(16)).ok_or_else(unknown)?;
        code = code * 16 + digit;
    }
    // `\x80` and above is a byte, not a character.
    char::from_u32(code).filter(|_| c != 'x' || code < 0x80).ok_or_else(unknown)
}
