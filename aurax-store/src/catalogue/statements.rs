/// Declares the statements of one noun, named `noun.STATEMENT`.
macro_rules! statements {
    ($noun:literal: $($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        $(
            $(#[$doc])*
            pub(crate) static $name: $crate::db::Statement = $crate::db::Statement {
                name: concat!($noun, ".", stringify!($name)),
                text: $text,
            };
        )*

        #[cfg(any(test, feature = "testkit"))]
        pub(crate) static ALL: &[&$crate::db::Statement] = &[$(&$name),*];
    };
}
pub(super) use statements;
