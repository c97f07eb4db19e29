//! What outlives the process: deployments, settings and secrets
