//! Sources that read a Redis server (or one that speaks its protocol).
