//! Latencies in buckets that grow with them: no list to keep and to sort, and three hundredths of error.

use std::time::Duration;

/// Buckets in each octave, as a power of two.
const BITS: u32 = 5;

const BUCKETS: usize = ((64 - BITS as usize) + 1) << BITS;

#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    buckets: Box<[u64]>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: vec![0; BUCKETS].into(),
            count: 0,
            max: 0,
        }
    }
}

impl Histogram {
    pub(crate) fn note(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanos)] += 1;
        self.count += 1;
        self.max = self.max.max(nanos);
    }

    /// In nanoseconds: the top of the bucket in which the value stands that the share `q` of all does not exceed; 0
    /// without values.
    pub(crate) fn quantile(&self, q: f64) -> u64 {
        let rank = ((self.count as f64 * q).ceil() as u64).max(1);
        let mut below = 0;
        for (i, n) in self.buckets.iter().enumerate() {
            below += n;
            if below >= rank {
                return top(i).min(self.max);
            }
        }
        0
    }

    /// In nanoseconds, exact.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }
}

/// Values below 2^BITS have a bucket each. Above, the leading bits are the bucket's number within its octave.
fn bucket(nanos: u64) -> usize {
    let octave = nanos.checked_ilog2().unwrap_or(0).saturating_sub(BITS);
    ((octave as usize) << BITS) + (nanos >> octave) as usize
}

/// The greatest value of a bucket.
fn top(bucket: usize) -> u64 {
    let octave = (bucket >> BITS).saturating_sub(1);
    let lead = (bucket - (octave << BITS)) as u64;
    ((lead + 1) << octave) - 1
}
