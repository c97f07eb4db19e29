//! Integration against real servers, end-to-end in the real window, benches
