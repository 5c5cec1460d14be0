//! The PyO3 binding: starts the core and exposes the pure machines; no logic.
