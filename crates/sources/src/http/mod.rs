//! Metrics over HTTP: one client for every address, and the source that fetches exposition pages.
