//! Every way Cachescope observes a cache: I/O in, plain observations out
