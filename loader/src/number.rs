//! Numbers of a script in user space: integers that know their width, floating-point numbers that have an order.

use std::cmp::Ordering;

/// A floating-point number: its bits, so that values have an order.
#[derive(Clone, Copy, Debug)]
pub enum Float {
    /// `float32`
    Single(f32),
    /// `float64`
    Double(f64),
}

impl Float {
    /// A float of 32 or 64 bits.
    #[must_use]
    pub fn from_bits(raw: u64, bits: u8) -> Float {
        match bits {
            32 => Float::Single(f32::from_bits(raw as u32)),
            _ => Float::Double(f64::from_bits(raw)),
        }
    }

    /// The number.
    #[must_use]
    pub fn value(self) -> f64 {
        match self {
            Float::Single(f) => f.into(),
            Float::Double(f) => f,
        }
    }
}

impl PartialEq for Float {
    fn eq(&self, other: &Float) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Float {}

impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Float) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Float {
    fn cmp(&self, other: &Float) -> Ordering {
        self.value().total_cmp(&other.value())
    }
}

/// An integer that knows its width, which `%x` and `%u` of a negative number depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Int {
    /// Two's complement.
    Signed {
        /// The number.
        value: i64,
        /// Width in bits.
        bits: u8,
    },
    /// Without sign.
    Unsigned {
        /// The number.
        value: u64,
        /// Width in bits.
        bits: u8,
    },
}

impl Int {
    /// A 64-bit integer: `raw` are its bits.
    #[must_use]
    pub fn of_64(raw: u64, signed: bool) -> Int {
        if signed {
            Int::Signed { value: raw.cast_signed(), bits: 64 }
        } else {
            Int::Unsigned { value: raw, bits: 64 }
        }
    }

    /// The number, whatever its type.
    #[must_use]
    pub fn value(self) -> i128 {
        match self {
            Int::Signed { value, .. } => value.into(),
            Int::Unsigned { value, .. } => value.into(),
        }
    }

    /// Width in bits.
    #[must_use]
    pub fn bits(self) -> u8 {
        match self {
            Int::Signed { bits, .. } | Int::Unsigned { bits, .. } => bits,
        }
    }

    /// The low `bits` of the number as a number of that width, as C's `%hd` and `%hhd` show it.
    #[must_use]
    pub fn narrowed(self, bits: u8) -> Int {
        let up = 64 - u32::from(bits.clamp(1, 64));
        let raw = (self.value() as u64) << up;
        match self {
            Int::Signed { .. } => Int::Signed { value: raw.cast_signed() >> up, bits },
            Int::Unsigned { .. } => Int::Unsigned { value: raw >> up, bits },
        }
    }

    /// The number divided, rounded to zero; a divisor of 0 counts as 1.
    #[must_use]
    pub fn divided(self, by: u32) -> Int {
        let by = by.max(1);
        match self {
            Int::Signed { value, bits } => Int::Signed { value: value / i64::from(by), bits },
            Int::Unsigned { value, bits } => Int::Unsigned { value: value / u64::from(by), bits },
        }
    }
}

impl PartialOrd for Int {
    fn partial_cmp(&self, other: &Int) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Int {
    fn cmp(&self, other: &Int) -> Ordering {
        self.value().cmp(&other.value()).then(self.bits().cmp(&other.bits()))
    }
}

#[cfg(test)]
mod tests {
    use super::Int;

    #[test]
    fn integers_are_in_the_order_of_their_values() {
        let int = |value| Int::Signed { value, bits: 8 };
        let mut keys = vec![int(3), int(-4), int(0)];
        keys.sort();
        assert_eq!(keys, [int(-4), int(0), int(3)]);
    }
}
