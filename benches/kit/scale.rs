//! How much work a run is given.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Full,
    /// Enough for a look.
    Quick,
    /// Enough to see that it runs.
    Test,
}

impl Scale {
    pub(crate) fn pick<T>(self, full: T, quick: T, test: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
            Self::Test => test,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.pick("full", "quick", "test")
    }
}
