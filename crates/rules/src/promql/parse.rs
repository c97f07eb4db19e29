//! From text to a tree, as far as the subset goes.

use cachescope_model::duration;

use super::expr::{Aggregation, Expr, Grouping, MatchKind, Matcher, Operator, RangeFunction, Selector};
use super::lexer::{Token, tokens};

/// The deepest nesting: more is not written by hand, and would exhaust the stack.
const DEEPEST: usize = 64;

/// Reads an expression.
///
/// # Errors
/// When it is no PromQL or lies outside of the subset that is evaluated here, in one sentence.
pub fn parse(text: &str) -> Result<Expr, String> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
    let expr = parser.binary(1)?;
    match parser.peek() {
        None => Ok(expr),
        Some(token) => Err(format!("{} is not expected", shown(token))),
    }
}

/// Reads the name and labels of one series, as series files write them.
///
/// # Errors
/// When it is none, or holds a matcher other than `=`.
pub fn series(text: &str) -> Result<Selector, String> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
    let selector = parser.selector()?;
    if let Some(token) = parser.peek() {
        return Err(format!("{} is not expected", shown(token)));
    }
    match selector.matchers.iter().find(|matcher| matcher.kind != MatchKind::Equal) {
        Some(matcher) => {
            Err(format!("the label {} has no value; write {}=\"…\"", matcher.label, matcher.label))
        }
        None => Ok(selector),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Result<Token, String> {
        let token = self.peek().cloned().ok_or("the expression ends too early")?;
        self.next += 1;
        Ok(token)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.next += usize::from(there);
        there
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.takes(sign) {
            return Ok(());
        }
        match self.peek() {
            Some(token) => Err(format!("{} is not expected, {sign} is missing", shown(token))),
            None => Err(format!("{sign} is missing")),
        }
    }

    fn operator(&self) -> Option<Operator> {
        Some(match self.peek()? {
            Token::Sign("+") => Operator::Add,
            Token::Sign("-") => Operator::Subtract,
            Token::Sign("*") => Operator::Multiply,
            Token::Sign("/") => Operator::Divide,
            Token::Sign(">") => Operator::Above,
            Token::Sign("<") => Operator::Below,
            Token::Sign(">=") => Operator::AtLeast,
            Token::Sign("<=") => Operator::AtMost,
            Token::Sign("==") => Operator::Equal,
            Token::Sign("!=") => Operator::NotEqual,
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                "and" => Operator::And,
                "unless" => Operator::Unless,
                "or" => Operator::Or,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Operators that bind at least this tightly; those of one precedence from the left.
    fn binary(&mut self, least: u8) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("it is nested more than {DEEPEST} deep"));
        }
        let mut left = self.operand()?;
        while let Some(operator) = self.operator().filter(|operator| operator.precedence() >= least) {
            self.next += 1;
            if let Some(Token::Word(word)) = self.peek()
                && matches!(word.as_str(), "bool" | "on" | "ignoring")
            {
                return Err(format!("`{word}` after an operator is left to a Prometheus server"));
            }
            let right = self.binary(operator.precedence() + 1)?;
            let scalar = matches!(left, Expr::Number(_)) || matches!(right, Expr::Number(_));
            if scalar && operator.on_sets() {
                return Err(format!("`{}` stands between series, not numbers", operator.sign()));
            }
            if matches!(left, Expr::Number(_)) && matches!(right, Expr::Number(_)) {
                return Err("a calculation between two numbers is left to a Prometheus server".to_owned());
            }
            left = left.with(operator, right);
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expr, String> {
        match self.peek() {
            Some(Token::Sign("(")) => {
                self.next += 1;
                let inner = self.binary(1)?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(Token::Sign(sign @ ("-" | "+"))) => {
                let factor = if *sign == "-" { -1.0 } else { 1.0 };
                self.next += 1;
                match self.operand()? {
                    Expr::Number(number) => Ok(Expr::Number(factor * number)),
                    _ => Err("a sign before series is left to a Prometheus server".to_owned()),
                }
            }
            Some(Token::Number(_)) => self.number().map(Expr::Number),
            Some(Token::Sign("{")) => self.instant(),
            Some(Token::Word(word)) => {
                let word = word.clone();
                let called = matches!(self.tokens.get(self.next + 1), Some(Token::Sign("(")));
                match word.to_ascii_lowercase().as_str() {
                    "nan" | "inf" if !called => self.number().map(Expr::Number),
                    "sum" => self.aggregate(Aggregation::Sum),
                    "min" => self.aggregate(Aggregation::Min),
                    "max" => self.aggregate(Aggregation::Max),
                    "avg" => self.aggregate(Aggregation::Avg),
                    "count" => self.aggregate(Aggregation::Count),
                    _ if !called => self.instant(),
                    _ => self.call(&word),
                }
            }
            Some(token) => Err(format!("{} is not expected", shown(token))),
            None => Err("the expression ends too early".to_owned()),
        }
    }

    fn number(&mut self) -> Result<f64, String> {
        match self.take()? {
            Token::Number(text) if text.starts_with("0x") || text.starts_with("0X") => {
                Err(format!("{text} is left to a Prometheus server"))
            }
            Token::Number(text) => text.parse().map_err(|_| format!("{text} is not a number")),
            Token::Word(word) if word.eq_ignore_ascii_case("nan") => Ok(f64::NAN),
            Token::Word(word) if word.eq_ignore_ascii_case("inf") => Ok(f64::INFINITY),
            token => Err(format!("{} is not a number", shown(&token))),
        }
    }

    fn call(&mut self, name: &str) -> Result<Expr, String> {
        let function = match name {
            "rate" => Some(RangeFunction::Rate),
            "increase" => Some(RangeFunction::Increase),
            "histogram_quantile" => None,
            _ => return Err(format!("`{name}` is left to a Prometheus server")),
        };
        self.next += 2;
        let expr = match function {
            Some(function) => {
                let selector = self.selector()?;
                self.expect("[")?;
                let range = match self.take()? {
                    Token::Number(text) => duration::parse(&text).map_err(|error| error.to_string())?,
                    token => return Err(format!("{} is not a duration", shown(&token))),
                };
                self.expect("]")?;
                if range.is_zero() {
                    return Err("a range must be longer than 0".to_owned());
                }
                Expr::Range(function, selector, range)
            }
            None => {
                let quantile = match self.operand()? {
                    Expr::Number(number) => number,
                    _ => return Err("a quantile that is no number is left to a Prometheus server".to_owned()),
                };
                self.expect(",")?;
                Expr::Quantile(quantile, Box::new(self.series_of_binary(name)?))
            }
        };
        self.expect(")")?;
        Ok(expr)
    }

    /// An argument that has to be series.
    fn series_of_binary(&mut self, of: &str) -> Result<Expr, String> {
        match self.binary(1)? {
            Expr::Number(_) => Err(format!("`{of}` wants series, not a number")),
            expr => Ok(expr),
        }
    }

    fn aggregate(&mut self, aggregation: Aggregation) -> Result<Expr, String> {
        self.next += 1;
        let before = self.grouping()?;
        self.expect("(")?;
        let of = self.series_of_binary(aggregation.name())?;
        self.expect(")")?;
        let grouping = match before {
            Some(grouping) => Some(grouping),
            None => self.grouping()?,
        };
        Ok(Expr::Aggregate(aggregation, grouping, Box::new(of)))
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, String> {
        let by = match self.peek() {
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("by") => true,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("without") => false,
            _ => return Ok(None),
        };
        self.next += 1;
        self.expect("(")?;
        let mut labels = Vec::new();
        while !self.takes(")") {
            match self.take()? {
                Token::Word(label) => labels.push(label),
                token => return Err(format!("{} is not a label", shown(&token))),
            }
            if !self.takes(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(Some(if by { Grouping::By(labels) } else { Grouping::Without(labels) }))
    }

    fn instant(&mut self) -> Result<Expr, String> {
        let selector = self.selector()?;
        match self.peek() {
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("offset") => {
                Err("`offset` is left to a Prometheus server".to_owned())
            }
            Some(Token::Sign("[")) => Err("a range stands inside rate or increase only".to_owned()),
            _ => Ok(Expr::Instant(selector)),
        }
    }

    fn selector(&mut self) -> Result<Selector, String> {
        let mut selector = Selector::default();
        if let Some(Token::Word(name)) = self.peek() {
            selector.name = name.clone();
            self.next += 1;
        }
        if self.takes("{") {
            while !self.takes("}") {
                selector.matchers.push(self.matcher()?);
                if !self.takes(",") {
                    self.expect("}")?;
                    break;
                }
            }
        }
        if selector.name.is_empty() && selector.matchers.is_empty() {
            return match self.peek() {
                Some(token) => Err(format!("{} is not expected, a metric's name is", shown(token))),
                None => Err("a metric's name is missing".to_owned()),
            };
        }
        Ok(selector)
    }

    fn matcher(&mut self) -> Result<Matcher, String> {
        let label = match self.take()? {
            Token::Word(label) => label,
            token => return Err(format!("{} is not a label", shown(&token))),
        };
        let kind = match self.take()? {
            Token::Sign("=") => MatchKind::Equal,
            Token::Sign("!=") => MatchKind::NotEqual,
            Token::Sign("=~") => MatchKind::Matches,
            Token::Sign("!~") => MatchKind::MatchesNot,
            token => return Err(format!("{} is not expected after the label {label}", shown(&token))),
        };
        match self.take()? {
            Token::Text(value) => Ok(Matcher { label, kind, value }),
            token => Err(format!("{} is not a text in quotes, which the label {label} wants", shown(&token))),
        }
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(text) | Token::Number(text) => format!("`{text}`"),
        Token::Text(text) => format!("{text:?}"),
        Token::Sign(sign) => format!("`{sign}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_of_the_subset_is_read_and_written_back() {
        for (text, back) in [
            ("a", "a"),
            ("sum(rate(x_total{l=\"a\\\"b\"}[5m])) by (le)", "sum by (le) (rate(x_total{l=\"a\\\"b\"}[5m]))"),
            ("a/(b+c)<0.8", "a / (b + c) < 0.8"),
            ("a - b - c", "a - b - c"),
            ("a - (b - c)", "a - (b - c)"),
            ("(a > 1) and b or c unless d", "a > 1 and b or c unless d"),
            (
                "histogram_quantile(.99, sum by(le) (rate(x_bucket[90s]))) > 1e-2",
                "histogram_quantile(0.99, sum by (le) (rate(x_bucket[1m30s]))) > 0.01",
            ),
            (
                "max without (a, b,) ({__name__=~'x.*', b!~`y\\d`})",
                "max without (a, b) ({__name__=~\"x.*\",b!~\"y\\\\d\"})",
            ),
            ("x > -Inf # a comment", "x > -Inf"),
        ] {
            let expr = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(expr.to_string(), back);
            assert_eq!(parse(back), Ok(expr), "{back}");
        }
    }

    #[test]
    fn what_lies_outside_of_the_subset_is_said_in_words() {
        for (text, said) in [
            ("", "ends too early"),
            ("a +", "ends too early"),
            ("a b", "`b` is not expected"),
            ("sum(a", ") is missing"),
            ("absent(up)", "`absent` is left to a Prometheus server"),
            ("a offset 5m", "`offset`"),
            ("a > bool 5", "`bool`"),
            ("a / on (l) b", "`on`"),
            ("rate(a)", "[ is missing"),
            ("rate(a[5])", "is not a duration"),
            ("a{l=~5}", "is not a text in quotes"),
            ("a % 2", "`%` is not expected"),
            ("a{l=\"x", "no closing quote"),
            ("é", "is not expected"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
        let deep = "(".repeat(5_000);
        assert!(parse(&deep).expect_err("too deep").contains("nested"));
    }
}
