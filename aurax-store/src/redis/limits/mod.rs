//! Rate limits that several processes share.

mod shared;

use aurax_core::limits::LimitPolicy;

pub use self::shared::RedisLimits;

/// The length of a part of the window, in milliseconds.
fn part_of(policy: &LimitPolicy) -> u64 {
    u64::try_from(policy.part().as_millis()).unwrap_or(u64::MAX)
}
