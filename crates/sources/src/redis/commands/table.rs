//! The standard commands: where their keys stand, and which of them the server counts as lookups.
//!
//! What counts was measured on Redis 6.2, 7.0, 7.4 and a development version of 8, by running each command on
//! keys that exist and on keys that don't, and differencing `keyspace_hits` and `keyspace_misses`; a test
//! repeats that on the server at hand.

/// Where a command's keys stand; the command's name is argument 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// It has none, or its inner commands are told on lines of their own (scripts).
    None,
    /// One, at this place.
    At(u8),
    /// From a first to a last place, every so many; a last place below zero counts from the end.
    Range(u8, i8, u8),
    /// As many as the number at this place says, after it.
    Numbered(u8),
    /// After the word STREAMS, the first half of what follows. Each is looked up twice.
    Streams,
    /// `SET`: a lookup only with the word GET.
    Set,
    /// `BITFIELD`: a lookup only where nothing is written.
    BitField,
    /// `SORT`: with BY or GET patterns it looks up keys that are not named.
    Sort,
    /// `SCAN`: with TYPE it looks up the keys it walks over (up to Redis 7), which are not named.
    Scan,
    /// `MIGRATE`: one key, or many after the word KEYS.
    Migrate,
    /// Can't be told.
    Unknown,
}

/// Whether the server counts the use of a key as a hit or a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counts {
    /// It does.
    Yes,
    /// It does since Redis 7.0.
    Since7,
    /// It doesn't.
    No,
}

/// One row: the command's name in lower case, its keys, and whether they count.
pub(super) type Row = (&'static str, Keys, Counts);

use Counts::{No, Since7, Yes};
use Keys::{At, Numbered, Range};

#[rustfmt::skip]
pub(super) const TABLE: &[Row] = &[
    // Keys of any type.
    ("copy", At(1), Since7), ("del", At(1), No), ("dump", At(1), Yes), ("exists", Range(1, -1, 1), Yes),
    ("expire", At(1), No), ("expireat", At(1), No), ("expiretime", At(1), Yes), ("keys", Keys::None, No),
    ("memory", At(2), No), ("migrate", Keys::Migrate, Yes), ("move", At(1), No), ("object", At(2), Yes),
    ("persist", At(1), No), ("pexpire", At(1), No), ("pexpireat", At(1), No), ("pexpiretime", At(1), Yes),
    ("pttl", At(1), Yes), ("randomkey", Keys::None, No), ("rename", At(1), No), ("renamenx", At(1), No),
    ("restore", At(1), No), ("restore-asking", At(1), No), ("scan", Keys::Scan, No), ("sort", Keys::Sort, Yes),
    ("sort_ro", Keys::Sort, Yes), ("touch", Range(1, -1, 1), Yes), ("ttl", At(1), Yes), ("type", At(1), Yes),
    ("unlink", At(1), No), ("watch", At(1), No), ("dbsize", Keys::None, No),
    // Strings and bitmaps.
    ("append", At(1), No), ("bitcount", At(1), Yes), ("bitfield", Keys::BitField, Yes), ("bitfield_ro", At(1), Yes),
    ("bitop", Range(3, -1, 1), Yes), ("bitpos", At(1), Yes), ("decr", At(1), No), ("decrby", At(1), No),
    ("get", At(1), Yes), ("getbit", At(1), Yes), ("getdel", At(1), Yes), ("getex", At(1), Yes),
    ("getrange", At(1), Yes), ("getset", At(1), Yes), ("incr", At(1), No), ("incrby", At(1), No),
    ("incrbyfloat", At(1), No), ("lcs", Range(1, 2, 1), Yes), ("mget", Range(1, -1, 1), Yes), ("mset", At(1), No),
    ("msetnx", At(1), No), ("psetex", At(1), No), ("set", Keys::Set, Yes), ("setbit", At(1), No),
    ("setex", At(1), No), ("setnx", At(1), No), ("setrange", At(1), No), ("strlen", At(1), Yes),
    ("substr", At(1), Yes),
    // Hashes.
    ("hdel", At(1), No), ("hexists", At(1), Yes), ("hexpire", At(1), No), ("hexpireat", At(1), No),
    ("hexpiretime", At(1), Yes), ("hget", At(1), Yes), ("hgetall", At(1), Yes), ("hincrby", At(1), No),
    ("hincrbyfloat", At(1), No), ("hkeys", At(1), Yes), ("hlen", At(1), Yes), ("hmget", At(1), Yes),
    ("hmset", At(1), No), ("hpersist", At(1), No), ("hpexpire", At(1), No), ("hpexpireat", At(1), No),
    ("hpexpiretime", At(1), Yes), ("hpttl", At(1), Yes), ("hrandfield", At(1), Yes), ("hscan", At(1), Yes),
    ("hset", At(1), No), ("hsetnx", At(1), No), ("hstrlen", At(1), Yes), ("httl", At(1), Yes), ("hvals", At(1), Yes),
    // Lists.
    ("blmove", At(1), No), ("blmpop", Numbered(2), No), ("blpop", At(1), No), ("brpop", At(1), No),
    ("brpoplpush", At(1), No), ("lindex", At(1), Yes), ("linsert", At(1), No), ("llen", At(1), Yes),
    ("lmove", At(1), No), ("lmpop", Numbered(1), No), ("lpop", At(1), No), ("lpos", At(1), Yes), ("lpush", At(1), No),
    ("lpushx", At(1), No), ("lrange", At(1), Yes), ("lrem", At(1), No), ("lset", At(1), No), ("ltrim", At(1), No),
    ("rpop", At(1), No), ("rpoplpush", At(1), No), ("rpush", At(1), No), ("rpushx", At(1), No),
    // Sets.
    ("sadd", At(1), No), ("scard", At(1), Yes), ("sdiff", Range(1, -1, 1), Yes), ("sdiffstore", Range(2, -1, 1), Since7),
    ("sinter", Range(1, -1, 1), Yes), ("sintercard", Numbered(1), Yes), ("sinterstore", Range(2, -1, 1), Since7),
    ("sismember", At(1), Yes), ("smembers", At(1), Yes), ("smismember", At(1), Yes), ("smove", At(1), No),
    ("spop", At(1), No), ("srandmember", At(1), Yes), ("srem", At(1), No), ("sscan", At(1), Yes),
    ("sunion", Range(1, -1, 1), Yes), ("sunionstore", Range(2, -1, 1), Since7),
    // Sorted sets.
    ("bzmpop", Numbered(2), No), ("bzpopmax", At(1), No), ("bzpopmin", At(1), No), ("zadd", At(1), No),
    ("zcard", At(1), Yes), ("zcount", At(1), Yes), ("zdiff", Numbered(1), Yes), ("zdiffstore", Numbered(2), Since7),
    ("zincrby", At(1), No), ("zinter", Numbered(1), Yes), ("zintercard", Numbered(1), Yes),
    ("zinterstore", Numbered(2), Since7), ("zlexcount", At(1), Yes), ("zmpop", Numbered(1), No), ("zmscore", At(1), Yes),
    ("zpopmax", At(1), No), ("zpopmin", At(1), No), ("zrandmember", At(1), Yes), ("zrange", At(1), Yes),
    ("zrangebylex", At(1), Yes), ("zrangebyscore", At(1), Yes), ("zrangestore", At(2), Since7), ("zrank", At(1), Yes),
    ("zrem", At(1), No), ("zremrangebylex", At(1), No), ("zremrangebyrank", At(1), No),
    ("zremrangebyscore", At(1), No), ("zrevrange", At(1), Yes), ("zrevrangebylex", At(1), Yes),
    ("zrevrangebyscore", At(1), Yes), ("zrevrank", At(1), Yes), ("zscan", At(1), Yes), ("zscore", At(1), Yes),
    ("zunion", Numbered(1), Yes), ("zunionstore", Numbered(2), Since7),
    // Streams.
    ("xack", At(1), Yes), ("xadd", At(1), No), ("xautoclaim", At(1), Yes), ("xclaim", At(1), Yes), ("xdel", At(1), No),
    ("xgroup", At(2), No), ("xinfo", At(2), Yes), ("xlen", At(1), Yes), ("xpending", At(1), Yes), ("xrange", At(1), Yes),
    ("xread", Keys::Streams, Yes), ("xreadgroup", Keys::Streams, Yes), ("xrevrange", At(1), Yes),
    ("xsetid", At(1), No), ("xtrim", At(1), No),
    // HyperLogLog and places on earth.
    ("geoadd", At(1), No), ("geodist", At(1), Yes), ("geohash", At(1), Yes), ("geopos", At(1), Yes),
    ("georadius", At(1), Yes), ("georadius_ro", At(1), Yes), ("georadiusbymember", At(1), Yes),
    ("georadiusbymember_ro", At(1), Yes), ("geosearch", At(1), Yes), ("geosearchstore", At(2), Yes),
    ("pfadd", At(1), No), ("pfcount", Range(1, -1, 1), Yes), ("pfdebug", At(2), No), ("pfmerge", Range(1, -1, 1), Yes),
    ("pfselftest", Keys::None, No),
    // Without keys, or with keys that are no keys of the keyspace.
    ("acl", Keys::None, No), ("asking", Keys::None, No), ("auth", Keys::None, No), ("bgrewriteaof", Keys::None, No),
    ("bgsave", Keys::None, No), ("client", Keys::None, No), ("cluster", Keys::None, No), ("command", Keys::None, No),
    ("config", Keys::None, No), ("debug", Keys::None, No), ("discard", Keys::None, No), ("echo", Keys::None, No),
    ("eval", Keys::None, No), ("eval_ro", Keys::None, No), ("evalsha", Keys::None, No), ("evalsha_ro", Keys::None, No),
    ("exec", Keys::None, No), ("failover", Keys::None, No), ("fcall", Keys::None, No), ("fcall_ro", Keys::None, No),
    ("flushall", Keys::None, No), ("flushdb", Keys::None, No), ("function", Keys::None, No), ("hello", Keys::None, No),
    ("host:", Keys::None, No), ("info", Keys::None, No), ("lastsave", Keys::None, No), ("latency", Keys::None, No),
    ("lolwut", Keys::None, No), ("module", Keys::None, No), ("monitor", Keys::None, No), ("multi", Keys::None, No),
    ("ping", Keys::None, No), ("post", Keys::None, No), ("psubscribe", Keys::None, No), ("psync", Keys::None, No),
    ("publish", Keys::None, No), ("pubsub", Keys::None, No), ("punsubscribe", Keys::None, No), ("quit", Keys::None, No),
    ("readonly", Keys::None, No), ("readwrite", Keys::None, No), ("replconf", Keys::None, No),
    ("replicaof", Keys::None, No), ("reset", Keys::None, No), ("role", Keys::None, No), ("save", Keys::None, No),
    ("script", Keys::None, No), ("select", Keys::None, No), ("shutdown", Keys::None, No), ("slaveof", Keys::None, No),
    ("slowlog", Keys::None, No), ("spublish", Keys::None, No), ("ssubscribe", Keys::None, No),
    ("subscribe", Keys::None, No), ("sunsubscribe", Keys::None, No), ("swapdb", Keys::None, No),
    ("sync", Keys::None, No), ("time", Keys::None, No), ("unsubscribe", Keys::None, No), ("unwatch", Keys::None, No),
    ("wait", Keys::None, No), ("waitaof", Keys::None, No),
];
