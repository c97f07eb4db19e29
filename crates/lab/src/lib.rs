//! A cache-aside service with known truth, its servers, its traffic and its incidents
