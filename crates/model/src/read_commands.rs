//! Which commands read values: those whose execution times are shown.

/// Commands with which applications read values, by their names in lower case. Mean and quantiles of the execution
/// time are theirs; lookups that return no value (EXISTS, TTL) and writes are left out.
pub const READ_COMMANDS: [&str; 24] = [
    "get",
    "mget",
    "getrange",
    "getex",
    "getbit",
    "strlen",
    "hget",
    "hmget",
    "hgetall",
    "hvals",
    "hkeys",
    "hlen",
    "lrange",
    "lindex",
    "llen",
    "smembers",
    "sismember",
    "smismember",
    "scard",
    "zrange",
    "zscore",
    "zcard",
    "xrange",
    "json.get",
];
