//! stub
pub const RULES: &str = "[]";
